"""This process's mappings made few, and its code's pages large: a fork costs by the mapping and by the page.

The standard library only: this file is run inside the sandbox.
"""

import contextlib
import ctypes
import os
from typing import NamedTuple

from feedback.testcases.sandbox import kernel, syscalls

SMALL, LARGE = 4096, 2 << 20
READ, WRITE, EXECUTE = 1, 2, 4
ANONYMOUS, FIXED = 0x22, 3
WANTED, NOW = 14, 25
"""Advice about large pages; the second fails where they cannot be had."""


class Part(NamedTuple):
    """A mapping of this process."""

    start: int
    end: int
    rights: str
    file: str


def settle() -> None:
    """Merge what can be merged, and put the interpreter's code on large pages where the kernel has any."""
    if kernel.machine() not in syscalls.ARCHITECTURES:
        return
    with contextlib.suppress(kernel.KernelError):
        if os.sysconf("SC_PAGE_SIZE") == SMALL:
            enlarge_code()
    with contextlib.suppress(kernel.KernelError):
        merge()


def merge() -> None:
    """Make the five mappings of each library two: what it executes and reads, and what it writes.

    Its constants may be executed then, and its table of addresses may be written; no memory may be both.
    """
    parts = [part for part in mapped() if part.file.startswith("/") and part.rights.endswith("p")]
    for place, part in enumerate(parts):
        if part.rights == "r--p":
            around = [other.rights for other in parts[max(0, place - 1):place + 2]
                      if beside(other, part) or beside(part, other)]
            if "rw-p" in around or "r-xp" in around:
                more = WRITE if "rw-p" in around else EXECUTE
                memory("mprotect", part.start, part.end - part.start, READ | more)


def enlarge_code() -> None:
    """Put a copy of the interpreter's code in its place; raises KernelError, and changes nothing, where it cannot.

    A child has it by the fork then, and need not fault it in sixteen pages at a time. What lies beside the code and is
    not written, constants above all, comes along and may then be executed. Memory that may be written still may not.
    """
    start, size = code()
    if not size:
        return
    room = memory("mmap", 0, size + LARGE, READ | WRITE, ANONYMOUS, -1, 0)
    try:
        copy = room + -room % LARGE
        memory("madvise", copy, size, WANTED)
        ctypes.memmove(copy, start, size)
        memory("madvise", copy, size, NOW)
        memory("mprotect", copy, size, READ | EXECUTE)
        memory("mremap", copy, size, size, FIXED, start)
    finally:
        memory("munmap", room, size + LARGE)


def code() -> tuple[int, int]:
    """Where the large pages begin that lie wholly in the code and in what is beside it, and how long they are."""
    inside = ctypes.cast(ctypes.pythonapi.PyEval_EvalCode, ctypes.c_void_p).value or 0
    parts = [part for part in mapped() if part.rights[:2] == "r-"]
    here = next((place for place, part in enumerate(parts) if part.start <= inside < part.end), None)
    if here is None:
        return 0, 0
    first = last = here
    while first and beside(parts[first - 1], parts[first]):
        first -= 1
    while last + 1 < len(parts) and beside(parts[last], parts[last + 1]):
        last += 1
    start = up(parts[first].start)
    return start, max(0, down(parts[last].end) - start)


def beside(one: Part, other: Part) -> bool:
    """Whether one ends where the other begins, and both are of one file."""
    return one.end == other.start and one.file == other.file


def mapped() -> list[Part]:
    """What is mapped in this process."""
    found = []
    with open("/proc/self/maps") as lines:  # noqa: PTH123 - pathlib would be in every fork
        for line in lines:
            place, rights, _, _, _, *file = line.split(maxsplit=5)
            start, end = place.split("-")
            found.append(Part(int(start, 16), int(end, 16), rights, file[0].strip() if file else ""))
    return found


def down(place: int) -> int:
    """The large page's start."""
    return place // LARGE * LARGE


def up(place: int) -> int:
    """The next large page's start."""
    return -(-place // LARGE) * LARGE


def memory(name: str, *arguments: int) -> int:
    """A system call about memory; raises KernelError."""
    number = syscalls.NUMBERS[name][list(syscalls.ARCHITECTURES).index(kernel.machine())]
    assert number is not None
    return kernel.call(number, *arguments)
