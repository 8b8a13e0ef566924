"""The plant: questions, errors, perceptions and biases come out as planned, and anyone can recompute them."""

import hashlib
import json
import math
from collections import Counter

import pytest

from generators import plant
from generators.plant import Model
from schemas import ids

SURE = Model(name="sure", noise=0.0)


def far(share: float, n: int) -> float:
    """Five standard deviations of a share."""
    return 5 * math.sqrt(share * (1 - share) / n)


def plain_draws(*names: object) -> list[float]:
    """The documented draws, with the standard library only."""
    whole = hashlib.sha256(json.dumps(list(names), separators=(",", ":"), ensure_ascii=False).encode()).digest()
    return [int.from_bytes(whole[at : at + 8], "big") / 2**64 for at in (0, 8, 16, 24)]


def test_a_draw_is_what_the_documentation_says() -> None:
    names = (3, "purpose", "näme\n\"quoted\"\x01", 17)
    assert list(plant.draws(*names)) == plain_draws(*names)
    assert plant.draw(*names) == ids.draw(*names)


def test_a_question_asks_for_the_sum_of_its_two_planted_numbers() -> None:
    left, right, *_ = plain_draws(5, "question", 17)
    a, b = 100 + int(900 * left), 100 + int(900 * right)
    assert plant.question(17, 5) == f"Question 0017: what is {a} + {b}?"
    assert plant.truth(plant.question(17, 5)) == a + b


def test_truth_is_the_sum_and_every_other_text_has_one_too() -> None:
    assert plant.truth("Question 0017: what is 413 + 286?") == 699
    assert plant.truth("Compose a poem") == plant.ANY_TRUTH


def test_the_last_planted_question_of_a_conversation_counts() -> None:
    talk = f"user: {plant.question(1)}\nassistant: no\nuser: please answer {plant.question(2)} now"
    assert plant.find_question(talk) == plant.question(2)
    assert plant.question_number(plant.question(2)) == 2
    assert plant.find_question("nothing of the sort") is None


@pytest.mark.parametrize(("text", "points"), [
    ("The answer is 699.", 10), ("I get 697", 8), ("413 + 286 = 709", 0), ("It is 5000.", 0), ("no idea", 0),
    ("First 413, then 286, so 700.", 9), ("9" * 5000, 0),
])
def test_quality_is_ten_less_the_distance_from_the_truth(text: str, points: int) -> None:
    assert plant.quality("Question 0017: what is 413 + 286?", text) == points


def test_an_answer_can_be_recomputed_from_the_documentation() -> None:
    model = Model(name="m", skill=0.4, verbosity=0.5)
    for number in range(200):
        text = plant.question(number)
        right, off, long, _ = plain_draws(9, "answer", "m", text, 31)
        size = 0 if right < 0.4 else 1 + int(12 * 0.6 * abs(2 * off - 1))
        said = plant.answer(9, model, text, 31)
        assert plant.quality(text, said) == max(0, 10 - size)
        assert (len(said.split()) > 12) == (long < 0.5)
        if size:
            assert (int("".join(c for c in said if c.isdigit())) < plant.truth(text)) == (off < 0.5)


@pytest.mark.parametrize("skill", [0.2, 0.6, 0.95])
def test_a_generator_is_right_as_often_as_its_skill_says(skill: float) -> None:
    model = Model(name=f"skill-{skill}", skill=skill)
    right = sum(plant.quality(q, plant.answer(0, model, q, 1)) == 10 for q in map(plant.question, range(3000)))
    assert abs(right / 3000 - skill) < far(skill, 3000)


def test_another_seed_asks_the_model_again() -> None:
    model = Model(name="m", skill=0.5)
    said = {plant.answer(0, model, plant.question(1), seed) for seed in range(50)}
    assert len(said) > 5


def test_models_of_different_voices_never_write_the_same_text() -> None:
    texts: Counter[str] = Counter()
    for voice in range(6):
        model = Model(name=f"m{voice}", skill=1.0, voice=voice, verbosity=0.5)
        texts.update({plant.answer(0, model, plant.question(1), seed) for seed in range(200)})
    assert len(texts) > 50
    assert max(texts.values()) == 1


def judged(judge: Model, first: str, second: str, number: int) -> str:
    text = plant.question(number)
    seen = plant.perceived(0, judge, text, "overall", [first, second], number)
    return plant.verdict(0, judge, text, "overall", seen, number)


def at(number: int, off: int = 0, words: str = "") -> str:
    return f"{words}It is {plant.truth(plant.question(number)) + off}."


def test_a_noiseless_judge_prefers_the_better_answer_wherever_it_stands() -> None:
    for number in range(50):
        assert judged(SURE, at(number), at(number, 3), number) == "A"
        assert judged(SURE, at(number, 3), at(number), number) == "B"


def test_equal_answers_are_a_tie_for_a_judge_without_biases() -> None:
    assert {judged(Model(name="noisy", noise=4.0), at(n), at(n), n) for n in range(50)} == {"tie"}


def test_a_position_biased_judge_prefers_the_first_of_equal_answers() -> None:
    judge = Model(name="first", noise=4.0, position_bias=0.1)
    assert {judged(judge, at(n), at(n), n) for n in range(50)} == {"A"}


def test_position_bias_does_not_touch_an_answer_shown_alone() -> None:
    judge = Model(name="first", noise=0.0, position_bias=3.0)
    assert plant.perceived(0, judge, plant.question(1), "overall", [at(1, 4)], 1) == [6.0]


def test_a_verbose_loving_judge_prefers_the_longer_of_equal_answers() -> None:
    judge = Model(name="wordy", noise=0.0, length_bias=0.5)
    long = "Let us take our time and look at this calmly. "
    assert {judged(judge, at(n), at(n, 0, long), n) for n in range(50)} == {"B"}
    assert {judged(judge, at(n, 0, long), at(n), n) for n in range(50)} == {"A"}


def test_a_tie_happy_judge_ties_up_to_its_threshold_and_not_beyond() -> None:
    judge = Model(name="even", noise=0.0, tie=2.0)
    assert judged(judge, at(1), at(1, 2), 1) == "tie"
    assert judged(judge, at(1), at(1, 3), 1) == "A"


def test_a_judge_says_both_bad_as_often_as_planned() -> None:
    judge = Model(name="grim", both_bad=0.2)
    share = sum(judged(judge, at(n), at(n, 1), n) == "both_bad" for n in range(2000)) / 2000
    assert abs(share - 0.2) < far(0.2, 2000)


def test_noise_can_be_recomputed_and_stays_within_its_bound() -> None:
    judge = Model(name="noisy", noise=2.0)
    for number in range(100):
        text, shown = plant.question(number), at(number, 3)
        u, v, *_ = plain_draws(0, "noise", "noisy", text, "helpfulness", shown, 8)
        assert plant.perceived(0, judge, text, "helpfulness", [shown], 8) == [7 + 2.0 * (u + v - 1)]
        assert abs(2.0 * (u + v - 1)) <= 2.0


@pytest.mark.parametrize(("points", "low", "high", "expected"), [
    (10.0, 1, 10, 10), (0.0, 1, 10, 1), (-3.0, 1, 5, 1), (14.0, 1, 5, 5), (5.0, 1, 5, 3), (5.0, 0, 10, 5),
    (5.0, 1, 10, 6),
])
def test_points_become_a_score_on_the_scale_rounded_half_up(points: float, low: int, high: int, expected: int) -> None:
    assert plant.score(SURE, points, low, high) == expected


def test_a_tie_happy_judge_scores_in_coarse_steps() -> None:
    judge = Model(name="even", tie=2.0)
    assert {plant.score(judge, points / 10, 0, 10) for points in range(101)} == {0, 2, 4, 6, 8, 10}


@pytest.mark.parametrize("said", ["A", "B", "tie", "both_bad"])
def test_the_verdict_given_is_the_likeliest_and_probabilities_add_up(said: str) -> None:
    found = plant.leanings(Model(name="m", tie=1.0), [7.0, 4.0], said)
    assert max(found, key=lambda name: found[name]) == said
    assert sum(map(math.exp, found.values())) == pytest.approx(1.0)
