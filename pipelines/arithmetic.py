"""Arithmetic: three pocket models answer 200 word problems, three pocket judges compare the answers in both orders.

The models are tiny and real: they were trained for this, they answer, and they err; one of them errs on purpose. The
right answers are known by calculation, so the build says how often each judge, the jury and the labels are right. It
is a wind tunnel for the pipeline, not a dataset to train a model of use on.
"""

from collections.abc import Sequence
from pathlib import Path

from assets.dataset import PreferenceDataset
from feedback.jury.aggregate import majority
from feedback.jury.compare import compare
from filters.pairs import identical, margin
from filters.sides import empty, truncated
from generators.pocket.tasks import arithmetic
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
    """1 for an answer with the right number in its box, else 0."""
    problem = arithmetic.read(messages[-1]["content"])
    return None if problem is None else float(arithmetic.right(problem, text))


dataset = PreferenceDataset(
    name="arithmetic",
    engines=EXAMPLES / "pocket_engines.toml",
    prompts=read(EXAMPLES / "arithmetic.jsonl", licence="cc0-1.0", language="en", task="arithmetic"),
    responses=sample(pool=POOL, temperature=1.0, max_tokens=96),
    judgments=compare(JURY, order="both-else-tie", prompt="brief"),
    rankings=majority(quorum=2),
    preferences=pair("best-worst", strength=vote_share(), test_share=0.1),
    kept=[empty, truncated, identical, margin(0.25)],
    unpaired=unpaired("best-and-worst", test_share=0.1),
    lists=lists(test_share=0.1),
    truth=rightness,
    schedule="0 4 * * *",
)
