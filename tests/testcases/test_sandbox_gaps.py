"""The gaps in a fork server's memory: once they are filled, what is made next lies side by side."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
from feedback.testcases.sandbox import gaps
rows = {size: [bytes(size - 33) for _ in range(2000)] for size in range(48, 513, 16)}
for size in rows:
    del rows[size][::3]
kept = gaps.fill() if sys.argv[1] == "filled" else []
apart = []
for size in rows:
    made = [bytes(size - 33) for _ in range(4)]
    places = [id(each) for each in made]
    if [after - before for before, after in zip(places, places[1:])] != [size] * 3:
        apart.append(size)
print(len(apart), len(rows))
"""


@pytest.mark.parametrize(("how", "least", "most"), [("filled", 0, 3), ("as they are", 27, 30)])
def test_what_is_made_after_the_gaps_are_filled_lies_side_by_side(how: str, least: int, most: int) -> None:
    """The script's own lists and numbers lie between those of a size or two."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, how], check=True, capture_output=True, text=True,
                          env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)})
    apart, sizes = map(int, done.stdout.split())
    assert sizes == 30
    assert least <= apart <= most
