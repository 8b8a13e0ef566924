"""The interpreter's code on large pages: a child has it by the fork, and need not fault it in sixteen pages at a time.

The standard library only: this file is run inside the sandbox.
"""

import ctypes
import os

from feedback.testcases.sandbox import kernel, syscalls

SMALL, LARGE = 4096, 2 << 20
READ, WRITE, EXECUTE = 1, 2, 4
ANONYMOUS, FIXED = 0x22, 3
WANTED, NOW = 14, 25
"""Advice about large pages; the second fails where they cannot be had."""


def enlarge() -> None:
    """Put a copy of the code on large pages in its place; raises KernelError, and changes nothing, where none are had.

    What lies beside the code and is not written, constants above all, comes along and may then be executed. Memory
    that may be written still may not.
    """
    start, size = span()
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


def span() -> tuple[int, int]:
    """Where the large pages begin that lie wholly in the code and in what is beside it, and how long they are."""
    inside = ctypes.cast(ctypes.pythonapi.PyEval_EvalCode, ctypes.c_void_p).value or 0
    parts = unwritten("/proc/self/maps")
    here = next((place for place, (start, end, _) in enumerate(parts) if start <= inside < end), None)
    if here is None or os.sysconf("SC_PAGE_SIZE") != SMALL or kernel.machine() not in syscalls.ARCHITECTURES:
        return 0, 0
    first = last = here
    while first and parts[first - 1][1:] == (parts[first][0], parts[here][2]):
        first -= 1
    while last + 1 < len(parts) and (parts[last + 1][0], parts[last + 1][2]) == (parts[last][1], parts[here][2]):
        last += 1
    start = -(-parts[first][0] // LARGE) * LARGE
    return start, max(0, parts[last][1] // LARGE * LARGE - start)


def unwritten(maps: str) -> list[tuple[int, int, str]]:
    """Start, end and file of the mappings that are private to this process and not written."""
    found = []
    with open(maps) as lines:  # noqa: PTH123 - pathlib would be in every fork
        for line in lines:
            place, rights, _, _, _, *file = line.split(maxsplit=5)
            if rights[0] == "r" and rights[1] == "-":
                start, end = place.split("-")
                found.append((int(start, 16), int(end, 16), file[0] if file else ""))
    return found


def memory(name: str, *arguments: int) -> int:
    """A system call about memory; raises KernelError."""
    number = syscalls.NUMBERS[name][list(syscalls.ARCHITECTURES).index(kernel.machine())]
    assert number is not None
    return kernel.call(number, *arguments)
