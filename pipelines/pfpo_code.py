"""PFPO on code (Jiao et al. 2025): programs are labelled by the tests they pass, and the tests by the programs' vote.

The policy writes ten programs for each problem, and a model ten inputs. All programs run on all inputs; what most of at
least five programs give is what is expected. Chosen passes half of the tests and six more than rejected. Each round has
its own problems and the policy that the last round trained. The paper lets GPT-4o write the inputs; name a strong model
there. The policy here is the pocket model that errs most, so that there is something to learn: the small one writes
nine of ten programs right, and few pairs are left. Reference solutions and hidden tests make no label: they say how
right the labels are.
"""

from pathlib import Path

from assets.dataset import PreferenceDataset
from assets.rounds import rounds
from feedback.testcases.execute import execute
from feedback.testcases.generate import generate_inputs
from feedback.testcases.given import given
from feedback.testcases.outcomes import check
from feedback.testcases.programs import programs
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
    name="pfpo_code",
    engines=EXAMPLES / "pocket_engines.toml",
    prompts=read(EXAMPLES / "functions.jsonl", reference="reference", task="functions", licence="cc0-1.0",
                 language="en"),
    responses=sample(pool=("pocket_sloppy",), n=10, temperature=1.0, max_tokens=160),
    programs=programs(),
    test_inputs=generate_inputs(("pocket_large",), n=10),
    executions=execute(),
    test_cases=vote_outputs(min_voters=5),
    outcomes=check(tolerance=1e-6),
    preferences=pair_by_tests(floor=0.5, margin=6, cap=10, test_share=0.1),
    kept=[empty, truncated, identical],
    unpaired=unpaired_by_tests(good=1.0, bad=0.5, test_share=0.1),
    rounds=rounds(3),
    truth=by_reference(hidden=given("tests")),
)
