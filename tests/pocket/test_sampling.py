"""From logits to tokens, by hand."""

from collections import Counter
from math import log

import numpy as np
import pytest

from generators.pocket.sampling import Wish, choose, log_chances, luck_of

CHANCES = [0.1, 0.4, 0.05, 0.25, 0.2]
LOGITS = np.log(np.array(CHANCES, np.float32)) + np.float32(3)


def wish(luck: float = 0.0, temperature: float = 1.0, top_p: float = 1.0, allowed: list[bool] | None = None) -> Wish:
    return Wish(temperature=temperature, top_p=top_p, luck=luck, allowed=None if allowed is None else np.array(allowed))


def one(asked: Wish) -> int:
    return choose(LOGITS[None], [asked])[0]


def test_temperature_zero_takes_the_likeliest_whatever_the_luck() -> None:
    assert one(wish(0.99, temperature=0.0)) == 1


@pytest.mark.parametrize(("luck", "token"), [(0.0, 0), (0.09, 0), (0.11, 1), (0.49, 1), (0.52, 2), (0.56, 3), (0.81, 4),
                                             (1 - 2**-53, 4)])
def test_luck_lies_along_the_probabilities_in_the_order_of_tokens(luck: float, token: int) -> None:
    assert one(wish(luck)) == token


@pytest.mark.parametrize(("top_p", "kept"), [(0.3, {1}), (0.39, {1}), (0.5, {1, 3}), (0.7, {1, 3, 4}),
                                             (0.9, {0, 1, 3, 4}), (1.0, {0, 1, 2, 3, 4}), (0.0, {1})])
def test_top_p_keeps_the_likeliest_that_together_reach_it(top_p: float, kept: set[int]) -> None:
    assert {one(wish(step / 500, top_p=top_p)) for step in range(500)} == kept


def test_temperature_sharpens() -> None:
    found = Counter(one(wish(step / 1000, temperature=0.5)) for step in range(1000))
    squares = np.square(CHANCES) / np.square(CHANCES).sum()
    assert [found[token] / 1000 for token in range(5)] == pytest.approx(squares, abs=0.002)


def test_what_is_not_allowed_is_never_chosen() -> None:
    masked = [True, False, True, False, False]
    assert {one(wish(step / 100, allowed=masked)) for step in range(100)} == {0, 2}
    assert one(wish(temperature=0.0, allowed=masked)) == 0


def test_a_rows_token_does_not_depend_on_the_other_rows() -> None:
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((50, 300)).astype(np.float32)
    wishes = [wish(float(rng.random()), float(heat), float(top)) for heat, top in
              zip(rng.choice([0.0, 0.7, 1.0], 50), rng.choice([0.5, 1.0], 50), strict=True)]
    together = choose(logits, wishes)
    assert together == [choose(row[None], [asked])[0] for row, asked in zip(logits, wishes, strict=True)]


def test_log_probabilities_are_the_models_own() -> None:
    assert log_chances(LOGITS).tolist() == pytest.approx([log(chance) for chance in CHANCES], abs=1e-6)


def test_every_choice_of_a_request_has_luck_of_its_own_that_its_seed_decides() -> None:
    assert luck_of(7, 0).random() == luck_of(7, 0).random()
    assert len({luck_of(seed, choice).random() for seed in range(3) for choice in range(3)}) == 9
