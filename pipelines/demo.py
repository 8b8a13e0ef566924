"""Demo: three scripted models answer 200 sums, a jury of three scripted judges compares the answers in both orders.

Everything runs on this machine without a download. The truth is planted, so the build reports how often its labels
are right: each judge's votes and the jury's pairs against the known sums.
"""

from collections.abc import Sequence
from pathlib import Path

from assets.dataset import PreferenceDataset
from feedback.jury.aggregate import majority
from feedback.jury.compare import compare
from filters.pairs import identical, margin
from filters.sides import empty, truncated
from generators import plant
from generators.read import read
from generators.sample import sample
from preferences.lists import lists
from preferences.pair import pair
from preferences.strength import vote_share
from preferences.unpaired import unpaired
from schemas.messages import Message

EXAMPLES = Path(__file__).parent.parent / "examples"
POOL = ("scripted_small", "scripted_medium", "scripted_large")
JURY = ("steady", "first_lover", "word_lover")


def planted_quality(messages: Sequence[Message], text: str) -> float:
    """The true quality of an answer: 10 for the right sum, less the further off."""
    return float(plant.quality(messages[-1]["content"], text))


dataset = PreferenceDataset(
    name="demo",
    engines=EXAMPLES / "demo_engines.toml",
    prompts=read(EXAMPLES / "sums.jsonl", licence="cc0-1.0", language="en", task="sums"),
    responses=sample(pool=POOL, temperature=1.0, max_tokens=200),
    judgments=compare(JURY, order="both-else-tie"),
    rankings=majority(quorum=2),
    preferences=pair("best-worst", strength=vote_share(), test_share=0.1),
    kept=[empty, truncated, identical, margin(0.25)],
    unpaired=unpaired("best-and-worst", test_share=0.1),
    lists=lists(test_share=0.1),
    truth=planted_quality,
    schedule="0 3 * * *",
)
