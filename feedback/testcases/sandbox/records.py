"""The page a confined process writes its results on: shared memory, so that it needs no pipe it could abuse.

Layout: one byte of phase, then records of a head (state, CPU microseconds, length of detail, length of output) and two
texts. A program can write here what it likes; it thereby only says what it returned. Whoever reads trusts no length.
"""

import mmap
import struct

STARTING, LOADED = 0, 1
NOTHING, RAN, ERROR, NEVER, AGAIN, END, OURS = range(7)
"""NEVER: an error that holds for all inputs. AGAIN: go on in a fresh process. END: all inputs done; OURS: our fault."""
DETAIL_BYTES = 400
_HEAD = struct.Struct("<BIHI")

Record = tuple[int, str, bytes, float]
"""State, detail, output, CPU ms."""


class Page:
    """Where one process reports, at most `inputs` results of `output_bytes` each."""

    def __init__(self, inputs: int, output_bytes: int) -> None:
        self.output_bytes = output_bytes
        self.size = 1 + (inputs + 1) * (_HEAD.size + DETAIL_BYTES + output_bytes)
        self.memory = mmap.mmap(-1, self.size)
        self.at = 1

    def wipe(self) -> None:
        """Make it the page it was at first, whatever was written where."""
        try:
            self.memory.madvise(mmap.MADV_REMOVE)
        except OSError:                           # a container's kernel that does not know how
            self.memory[:] = bytes(self.size)

    def loaded(self) -> None:
        """Say that the program's module is loaded."""
        self.memory[0] = LOADED

    def add(self, state: int, detail: str = "", output: bytes = b"", cpu_s: float = 0.0) -> None:
        """Write a record; the head comes last, so that half a record is none."""
        note = detail.encode("utf-8", "backslashreplace")[:DETAIL_BYTES]
        start = self.at + _HEAD.size
        self.memory[start:start + len(note)] = note
        self.memory[start + len(note):start + len(note) + len(output)] = output
        head = _HEAD.pack(state, min(int(cpu_s * 1e6), 2**32 - 1), len(note), len(output))
        self.memory[self.at:start] = head
        self.at = start + len(note) + len(output)

    def read(self, most: int) -> tuple[bool, list[Record]]:
        """Whether the program was loaded, and up to `most` records and the one that ends them."""
        records: list[Record] = []
        at = 1
        while len(records) <= most and at + _HEAD.size <= self.size:
            state, cpu_us, noted, put = _HEAD.unpack(self.memory[at:at + _HEAD.size])
            at += _HEAD.size
            if not NOTHING < state <= OURS or noted > DETAIL_BYTES or put > self.output_bytes:
                break
            detail = self.memory[at:at + noted].decode("utf-8", "replace")
            records.append((state, detail, self.memory[at + noted:at + noted + put], cpu_us / 1000))
            at += noted + put
        return self.memory[0] == LOADED, records
