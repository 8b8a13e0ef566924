"""How a fork server gets its code: over its standard input, so that it needs no path to the checkout.

A throwaway user or a container may not see this folder; all it needs is a Python of 3.11 or later. One that reads the
same bytecode as this one need not compile it.
"""

import importlib.util
import marshal
from collections.abc import Sequence
from functools import cache
from pathlib import Path

MODULES = (
    "codec", "frames", "records", "inside", "stand_in", "kernel", "syscalls", "mappings", "gaps", "confine",
    "children", "zygote",
)
PACKAGES = ("feedback", "feedback.testcases", "feedback.testcases.sandbox")
BYTECODE = importlib.util.MAGIC_NUMBER.hex()
"""Which bytecode this Python reads."""
ENVIRONMENT = {"PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8", "TZ": "UTC", "PATH": "/usr/bin:/bin",
               "LD_BIND_NOW": "1"}
"""All a fork server is given. -I would ignore the hash seed, so -S -s -P and this take its place. By LD_BIND_NOW the
server looks up all C functions once, instead of each child those that it uses."""
FLAGS = ("-S", "-s", "-P", "-B")
WRAPPED = "wrapped"
"""What tells a server that something else started it: it then starts once more, with its own environment only."""

PROGRAM = f"""
import os, sys
if sys.argv[1:] == ["{WRAPPED}"]:
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:-1]], {ENVIRONMENT})
""" + """
import _frozen_importlib_external, json, marshal, struct, types
os.dup2(0, 3), os.dup2(1, 4)
null = os.open(os.devnull, os.O_RDWR)
os.dup2(null, 0), os.dup2(null, 1), os.close(null)
def exactly(length):
    parts = b""
    while len(parts) < length:
        part = os.read(3, length - len(parts))
        parts += part
        if not part:
            raise SystemExit
    return parts
config = json.loads(exactly(struct.unpack("<I", exactly(4))[0]))
for name in config["packages"]:
    sys.modules[name] = types.ModuleType(name)
readable = config["bytecode"] == _frozen_importlib_external.MAGIC_NUMBER.hex()
for name, source, code in config.pop("modules"):
    package, _, short = name.rpartition(".")
    module = sys.modules[name] = types.ModuleType(name)
    setattr(sys.modules[package], short, module)
    exec(marshal.loads(bytes.fromhex(code)) if readable else compile(source, name, "exec"), module.__dict__)
for name in [*sys.modules]:
    if name.startswith("feedback"):
        del sys.modules[name]
os.environ.clear()
module.main(config)
"""


def command(python: str, prefix: Sequence[str] = ()) -> tuple[str, ...]:
    """What starts a fork server, by itself or by way of a command."""
    return *prefix, python, *FLAGS, "-c", PROGRAM, *[WRAPPED] * bool(prefix)


@cache
def modules() -> Sequence[tuple[str, str, str]]:
    """The modules that a fork server is sent, in the order of their imports: name, source, bytecode in hex."""
    found = []
    for short in MODULES:
        name = f"{PACKAGES[-1]}.{short}"
        source = Path(__file__).with_name(f"{short}.py").read_text(encoding="utf-8")
        found.append((name, source, marshal.dumps(compile(source, name, "exec")).hex()))
    return found
