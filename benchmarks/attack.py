"""One attack on a sandbox, and how a function that attacks is written."""

from dataclasses import dataclass, field
from typing import Literal

HEAD = """
import os, sys, time, signal
def tried(**ways):
    done = []
    for name, way in ways.items():
        try:
            way()
        except BaseException:
            continue
        done.append(name)
    return "ESCAPED by " + ", ".join(done) if done else "no way"
def system(number, *arguments):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(ctypes.c_long(number), *[ctypes.c_long(each) for each in arguments]) == -1:
        raise OSError(ctypes.get_errno(), "refused")
"""


@dataclass(frozen=True, slots=True)
class Attack:
    """One program; `slow` ones wait, and are run under a short wall."""

    name: str
    source: str
    kind: Literal["call", "stdin", "tests"] = "call"
    tests: str = "assert candidate(12) == $TRUTH"
    """What runs against it, for kind "tests"."""
    slow: bool = False
    statuses: frozenset[str] = field(default=frozenset({"ran", "error", "timeout"}))
    """How it may end; an attack that shows itself as sandbox_error would escape its label."""


def call(name: str, body: str, **options: object) -> Attack:
    """An attack by a function."""
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    return Attack(name, f"{HEAD}\ndef f(x):\n{lines}\n", **options)  # type: ignore[arg-type]
