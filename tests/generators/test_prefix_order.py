"""Requests that begin alike come together, so that a server's prefix cache still holds what they share."""

from itertools import groupby

from feedback.jury.compare import compare
from feedback.jury.rate import rate
from generators.ask import AnyPlan, draw_asks
from generators.sample import sample
from tests.feedback.court import answer, engines, prompts, responses

NAMES = ("p", "q", "r")
STAFF = engines("a", "b")
ANSWERS = responses(*(answer(prompt, f"{prompt}{number}", model="x") for number in range(3) for prompt in NAMES))


def visits(plan: AnyPlan, engine: str) -> list[str]:
    """The prompts that an engine is asked about, one entry for each unbroken run of requests."""
    asks = (ask for ask in draw_asks(plan, engine) if ask.engine == engine)
    return [prompt for prompt, _ in groupby(ask.prompt_id for ask in asks)]


def test_an_engine_gets_all_samples_of_a_prompt_before_the_next_prompt() -> None:
    plan = sample(["a", "b"], n=4).plan(prompts(*NAMES), STAFF)
    for engine in STAFF:
        assert sorted(visits(plan, engine)) == list(NAMES)


def test_a_judge_gets_all_questions_on_a_prompt_before_the_next_prompt() -> None:
    plans: list[AnyPlan] = [
        compare(["a", "b"], order="both-average").plan(prompts(*NAMES), ANSWERS, STAFF),
        rate(["a", "b"], aspects=["honesty", "helpfulness"], shown="alone").plan(prompts(*NAMES), ANSWERS, STAFF),
    ]
    for plan in plans:
        for engine in STAFF:
            assert sorted(visits(plan, engine)) == list(NAMES)
            asks = [ask for ask in draw_asks(plan, engine) if ask.engine == engine]
            assert len(asks) == 18  # of 3 prompts: 3 pairs in 2 orders; 3 answers on 2 aspects
