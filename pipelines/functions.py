"""Functions: three pocket models write 200 small Python functions, three pocket judges compare them in both orders.

As `arithmetic`, with code: whether a function is right is known by running it and the reference on the same inputs. The
judges only read the code; what they are worth here is in the build's audit. Labels by running the code need no judge.
"""

from collections.abc import Sequence
from pathlib import Path

from assets.dataset import PreferenceDataset
from feedback.jury.aggregate import majority
from feedback.jury.compare import compare
from filters.pairs import identical, margin
from filters.sides import empty, truncated
from generators.pocket.tasks import functions
from generators.read import read
from generators.sample import sample
from preferences.lists import lists
from preferences.pair import pair
from preferences.strength import vote_share
from preferences.unpaired import unpaired
from schemas.messages import Message

EXAMPLES = Path(__file__).parent.parent / "examples"
POOL = ("pocket_small", "pocket_sloppy", "pocket_large")
JURY = ("pocket_judge_a", "pocket_judge_b", "pocket_judge_c")


def rightness(messages: Sequence[Message], text: str) -> float | None:
    """1 for a function that returns what the reference does on every test input, else 0; None where it is not known."""
    problem = functions.read(messages[-1]["content"])
    right = None if problem is None else functions.right(problem, text)
    return None if right is None else float(right)



dataset = PreferenceDataset(
    name="functions",
    engines=EXAMPLES / "pocket_engines.toml",
    prompts=read(EXAMPLES / "functions.jsonl", licence="cc0-1.0", language="en", task="functions"),
    responses=sample(pool=POOL, temperature=1.0, max_tokens=96),
    judgments=compare(JURY, order="both-else-tie", prompt="brief"),
    rankings=majority(quorum=2),
    preferences=pair("best-worst", strength=vote_share(), test_share=0.1),
    kept=[empty, truncated, identical, margin(0.25)],
    unpaired=unpaired("best-and-worst", test_share=0.1),
    lists=lists(test_share=0.1),
    truth=rightness,
    schedule="0 5 * * *",
)
