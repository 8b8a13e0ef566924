"""PFPO on maths (Jiao et al. 2025): answers are labelled by the vote of the policy's own answers, with no answer key.

The policy answers each question ten times. An answer is a one-test case: what more than half of at least five answers
say is taken for right; chosen says it, rejected says something else. Each round has its own questions and the policy
that the last round trained. The policy here is the pocket model that errs most, and errs at random: the errors of the
others agree more often, and outvote the truth. The known answers make no label: they say how right the labels are.
"""

from pathlib import Path

from assets.dataset import PreferenceDataset
from assets.rounds import rounds
from feedback.testcases.answers import answers
from feedback.testcases.given import answer_inputs
from feedback.testcases.outcomes import check
from feedback.testcases.references import by_reference
from feedback.testcases.vote import vote_outputs
from filters.pairs import identical
from filters.sides import empty, truncated
from generators.read import read
from generators.sample import sample
from preferences.by_tests import pair_by_tests
from preferences.unpaired_by_tests import unpaired_by_tests

EXAMPLES = Path(__file__).parent.parent / "examples"

dataset = PreferenceDataset(
    name="pfpo_maths",
    engines=EXAMPLES / "pocket_engines.toml",
    prompts=read(EXAMPLES / "arithmetic.jsonl", reference="reference", task="arithmetic", licence="cc0-1.0",
                 language="en"),
    responses=sample(pool=("pocket_sloppy",), n=10, temperature=1.0, top_p=0.9, max_tokens=160),
    test_inputs=answer_inputs,
    executions=answers(),
    test_cases=vote_outputs(min_voters=5, share=0.5),
    outcomes=check(),
    preferences=pair_by_tests(floor=1.0, margin=1, cap=10, test_share=0.1),
    kept=[empty, truncated, identical],
    unpaired=unpaired_by_tests(good=1.0, bad=1.0, test_share=0.1),
    rounds=rounds(3),
    truth=by_reference(),
)
