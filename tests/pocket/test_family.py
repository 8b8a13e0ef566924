"""The pocket family that ships: whole, small, with a card each, of different strength, and judges that can be read."""

from collections import Counter
from functools import cache
from random import Random

import pytest

from feedback.jury.parse import read_verdict
from generators.pocket.offline import write
from generators.pocket.server import MODELS
from generators.pocket.tasks import arithmetic, functions, judging, talk
from generators.pocket.tasks.held_out import problems
from trainers.pocket.corpus import inputs_ask, judge_ask
from trainers.pocket.family import CONTEXT, FAMILY, GENERATORS, JUDGES
from trainers.pocket.ship import FILES

MOST_BYTES = 12_000_000


@cache
def accuracy(name: str, task: str, temperature: float = 0.0, count: int = 60) -> float:
    asked = problems(task, count, "tests")
    texts = write(MODELS / name, [problem.prompt for problem in asked], temperature=temperature, seed=1)
    return sum(judging.is_good(*pair) for pair in zip(asked, texts, strict=True)) / count


def test_the_family_is_whole_and_small_enough_for_a_repository() -> None:
    assert {folder.name for folder in MODELS.iterdir()} == set(FAMILY) == {*GENERATORS, *JUDGES}
    assert all((MODELS / name / file).is_file() for name in FAMILY for file in (*FILES, "README.md"))
    assert sum(file.stat().st_size for file in MODELS.rglob("*") if file.is_file()) <= MOST_BYTES


@pytest.mark.parametrize("file", ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"])
def test_all_members_read_and_write_the_same_tokens(file: str) -> None:
    assert len({(MODELS / name / file).read_bytes() for name in FAMILY}) == 1


@pytest.mark.parametrize("name", FAMILY)
def test_a_card_says_how_the_model_was_trained(name: str) -> None:
    card, member = (MODELS / name / "README.md").read_text(), FAMILY[name]
    assert f"| seed | {member.seed} |" in card
    assert all(f"{course.name}: {course.steps} steps" in card for course in member.courses)
    assert f"| context | {CONTEXT} tokens |" in card
    assert ("on purpose" in card) is (name == "pocket-sloppy")


def test_generators_calculate_and_the_sloppy_one_knows_more_than_it_says() -> None:
    assert accuracy("pocket-large", "arithmetic") >= 0.6
    assert accuracy("pocket-small", "arithmetic") >= 0.45
    assert accuracy("pocket-sloppy", "arithmetic") >= accuracy("pocket-sloppy", "arithmetic", 1.0) + 0.1
    assert accuracy("pocket-large", "arithmetic", 1.0) >= accuracy("pocket-sloppy", "arithmetic", 1.0) + 0.1


def test_the_large_generator_writes_functions() -> None:
    assert accuracy("pocket-large", "functions", count=30) >= 0.7


def test_the_large_generator_writes_inputs_that_a_function_can_take() -> None:
    asked = problems(functions.TASK, 8, "tests")
    replies = write(MODELS / "pocket-large", [inputs_ask(problem, 3) for problem in asked], schema="inputs", most=200)
    assert sum(talk.inputs_right(*pair) for pair in zip(asked, replies, strict=True)) >= 6


def test_judges_give_verdicts_that_can_be_read_and_choose_solutions_over_slips_more_often_than_not() -> None:
    asked, rng = problems(arithmetic.TASK, 30, "tests"), Random(1)
    pairs = [(problem, *rng.sample((problem.solution, arithmetic.slip(problem, rng)), 2)) for problem in asked]
    prompts = [judge_ask(problem.prompt, *both) for problem, *both in pairs]
    truth = [judging.verdict(*pair) for pair in pairs]
    told = [read_verdict(reply)[0] for name in JUDGES
            for reply in write(MODELS / name, prompts, schema="verdict", most=200)]
    met = Counter(verdict == right for verdict, right in zip(told, truth * len(JUDGES), strict=True) if verdict in "AB")
    assert met[True] > 1.3 * met[False]
