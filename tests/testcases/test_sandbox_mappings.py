"""A fork server's mappings: all is there, it still runs, and no memory can be both written and executed."""

import _ctypes
import os
import subprocess
import sys

import pytest

from feedback.testcases.sandbox import isolation

SCRIPT = """
import sys
from feedback.testcases.sandbox import mappings, kernel
start, size = mappings.code()
before = bytes(mappings.ctypes.string_at(start, size))
refused = None
try:
    mappings.enlarge_code()
except kernel.KernelError as error:
    refused = error
assert bytes(mappings.ctypes.string_at(start, size)) == before
kept = {str(number): [number] * 20 for number in range(50_000)}
assert all(kept[str(number)] == [number] * 20 for number in range(50_000))
mappings.merge()
assert sorted(str(number) for number in range(1000))[:2] == ["0", "1"]
if refused:
    sys.exit(f"no large pages: {refused}")
print(hex(start), size)
print(open("/proc/self/maps").read())
"""


@pytest.mark.skipif(isolation.strict_misses() is not None, reason=f"{isolation.strict_misses()}")
def test_the_code_moves_to_mappings_that_cannot_be_written() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], check=False, capture_output=True, text=True)
    if done.stderr.startswith("no large pages"):
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    first, *lines = done.stdout.splitlines()
    start, size = (int(number, 0) for number in first.split())
    maps = [line.split() for line in lines if line]
    if size:
        assert [f"{start:x}-{start + size:x}", "r-xp"] in [fields[:2] for fields in maps]
    assert not [fields for fields in maps if "w" in fields[1] and "x" in fields[1]]
    if hasattr(_ctypes, "__file__"):              # else it is no library of its own, but in the interpreter
        assert [fields[1] for fields in maps if fields[-1] == os.path.realpath(_ctypes.__file__)] == ["r-xp", "rw-p"]


def test_a_kernel_without_mappings_leaves_everything_as_it_was() -> None:
    script = SCRIPT.replace("try:", "mappings.NOW = 12345\ntry:")
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert done.stdout.startswith("0x0 0") or done.stderr.startswith("no large pages: "), done.stderr
