"""Fills the gaps that freed objects left, so that what a child makes lies together, on pages of its own.

A child copies each page that it writes on, and each gap is another page to write on. The standard library only: this
file is run inside the sandbox.
"""

POOL, FIRST = 16384, 48
"""Where CPython lays objects of one size together, and how far in the first of them lies."""
ROW, MOST = 4, 50_000
"""So many side by side at the start of a pool are no gap; more objects are not made, whoever lays them down."""


def fill() -> list[object]:
    """Objects of each size that lie in the gaps, as long as they are kept."""
    kept: list[object] = []
    for size in range(32, 513, 16):
        row = last = 0
        while row < ROW and len(kept) < MOST:
            kept.append(bytes(size - 33) if size > 33 else complex(size))
            place = id(kept[-1])
            row = 1 if place % POOL == FIRST else row + 1 if row and place - last == size else 0
            last = place
    return kept
