"""Votes: pairs that three people have already voted on, aggregated, measured and exported; no model is called.

To use your own, change the path and say which columns hold the prompt, the answers and each judge's verdict.
"""

from pathlib import Path

from assets.dataset import PreferenceDataset
from feedback.imports.votes import votes
from feedback.jury.aggregate import majority
from filters.pairs import exact_duplicate, identical, one_sided_refusal
from filters.sides import empty
from preferences.pair import pair
from preferences.strength import vote_share

EXAMPLES = Path(__file__).parent.parent / "examples"

voted = votes(
    str(EXAMPLES / "votes.jsonl"),
    prompt=("instruction", "input"),
    answers=("response1", "response2"),
    models=("{model1}", "{model2}"),
    judges={"human:1": "annotator1", "human:2": "annotator2", "human:3": "annotator3"},
    coding={1: "first", 2: "second", 0: "tie"},
    licence="cc0-1.0",
    language="en",
)

dataset = PreferenceDataset(
    name="votes",
    prompts=voted.prompts,
    responses=voted.responses,
    judgments=voted.judgments,
    rankings=majority(quorum=2),
    preferences=pair("best-worst", strength=vote_share(), test_share=0.1),
    kept=[empty, identical, one_sided_refusal, exact_duplicate],
    schedule="0 4 * * 1",
)
