"""Small problems with planted programs, right and wrong, so that every vote, outcome and pair is known by hand.

add: the vote is right on all four inputs. double: six of ten share an error, so the vote is wrong on three inputs of
four, and right answers lose. biggest: one answer never ends, one holds no code.
"""

import json
from pathlib import Path

LOOPS = "```python\ndef biggest(xs):\n    while True:\n        pass\n```"
PROBLEMS = [
    {"prompt": 'def add(a, b):\n    """Return the sum of a and b."""\n', "entry_point": "add",
     "reference": "    return a + b\n", "inputs": [[1, 2], [0, 0], [-3, 5], [10, 20]],
     "completions": ["    return a + b\n"] * 3 + ["    return b + a\n"] * 3 + ["    return a - b\n"] * 2
     + ["    return a + b + 1\n", "    raise ValueError(a)\n"]},
    {"prompt": "Write a Python function double(x) that returns twice x.",
     "reference": "def double(x):\n    return x * 2\n", "inputs": [[1], [2], [5], [0]],
     "completions": ["Here:\n```python\ndef double(x):\n    return x * 3\n```"] * 6
     + ["```python\ndef double(x):\n    return x * 2\n```"] * 3
     + ["```python\ndef double(x):\n    return x.twice\n```"]},
    {"prompt": "Write a Python function biggest(xs) that returns the biggest number of xs, or None of an empty list.",
     "reference": "def biggest(xs):\n    return max(xs) if xs else None\n",
     "inputs": [[[]], [[1, 2]], [[3]], [[4, 4, 1]]],
     "completions": ["```python\ndef biggest(xs):\n    return max(xs, default=None)\n```"] * 5
     + ["```python\ndef biggest(xs):\n    return max(xs)\n```"]
     + ["```python\ndef biggest(xs):\n    return min(xs, default=None)\n```"] * 2 + [LOOPS, "I cannot do that."]},
]
PAIRS = {"right": 24 + 5, "inverted": 18, "both_fail": 6 + 1}
"""With floor .5 and margin 3: what the pairs are worth by the references."""
CALIBRATION = {0.5: (6, 3), 0.7: (3, 3), 0.9: (3, 3)}
"""By the lower edge of the share: votes, and those that are right."""


def write_problems(path: Path) -> Path:
    """The problems as JSON lines, one a prompt."""
    path.write_text("".join(json.dumps({**problem, "model": "coder"}) + "\n" for problem in PROBLEMS))
    return path
