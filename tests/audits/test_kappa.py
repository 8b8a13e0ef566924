"""Agreement coefficients against worked examples of the literature and against slow definitions written out here."""

from fractions import Fraction
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audits.bootstrap import resamples
from audits.kappa import (
    Ratings,
    alpha_nominal,
    alpha_ordinal,
    cohen,
    estimate_cohen,
    estimate_fleiss,
    estimate_nominal,
    estimate_ordinal,
    estimate_raw,
)

COHEN_1960 = [[44, 7, 9], [5, 20, 5], [1, 3, 6]]
FLEISS_1971 = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]


def krippendorff_2011():
    a, b = "1 2 3 3 2 1 4 1 2 . . .", "1 2 3 3 2 2 4 1 2 5 . 3"
    c, d = ". 3 3 3 2 3 4 2 2 5 1 .", "1 2 3 3 2 4 4 1 2 5 1 ."
    return read(a, b, c, d)


def three_coders():
    """The fifteen units of three coders with many gaps: nominal alpha is .691."""
    a, b = ". . . . . 3 4 1 2 1 1 3 3 . 3", "1 . 2 1 3 3 4 3 . . . . . . ."
    return read(a, b, ". . 2 1 3 4 4 . 2 1 1 3 3 . 4")


def read(*observers):
    rows = [[-1 if value == "." else int(value) - 1 for value in line.split()] for line in observers]
    return np.array(rows).T


def rated(codes, levels=5):
    """Ratings with one prompt an item, and the resamples of these prompts."""
    codes = np.array(codes)
    draws = resamples([f"p{number:03}" for number in range(len(codes))], draws=200)
    return Ratings(codes=codes, prompt=np.arange(len(codes)), levels=levels), draws


def slow_alpha(units, distance):
    """Krippendorff's alpha from its definition: all pairs within units against all pairs of pairable values."""
    units = [[v for v in unit if v >= 0] for unit in units]
    units = [unit for unit in units if len(unit) > 1]
    values = [v for unit in units for v in unit]
    observed = sum(
        Fraction(distance(values, a, b)) / (len(unit) - 1) for unit in units for a, b in permutations(unit, 2))
    expected = sum(Fraction(distance(values, a, b)) for a, b in permutations(values, 2))
    if not expected:
        return None
    return float(1 - (observed / len(values)) / (expected / (len(values) * (len(values) - 1))))


def nominal(values, a, b):
    return int(a != b)


def ordinal(values, a, b):
    low, high = min(a, b), max(a, b)
    between = sum(low <= v <= high for v in values)
    return (between - Fraction(values.count(a) + values.count(b), 2)) ** 2 if a != b else 0


def test_cohen_gives_the_kappa_of_cohens_own_table():
    # p_o = .44 + .20 + .06 = .70; p_e = .60*.50 + .30*.30 + .10*.20 = .41; (.70 - .41) / (1 - .41) = .4915
    assert cohen(np.array(COHEN_1960, float)) == pytest.approx(0.29 / 0.59)


def test_cohen_gives_point_four_for_the_two_by_two_table():
    # p_o = 35/50 = .7; p_e = .5*.6 + .5*.4 = .5; (.7 - .5) / .5 = .4
    assert cohen(np.array([[20, 5], [10, 15]], float)) == pytest.approx(0.4)


def test_cohen_is_undefined_where_one_class_only_is_used():
    assert np.isnan(cohen(np.array([[7, 0], [0, 0]], float)))


def test_fleiss_gives_the_kappa_of_the_fourteen_raters():
    codes = [[level for level, n in enumerate(row) for _ in range(n)] for row in FLEISS_1971]
    estimate = estimate_fleiss(*rated(codes))
    # P̄ = .378, P̄_e = .213 in the worked example
    assert estimate.value == pytest.approx(0.210, abs=5e-4)
    assert estimate.low < estimate.value < estimate.high


def test_fleiss_has_no_value_for_unequal_numbers_of_raters():
    estimate = estimate_fleiss(*rated(krippendorff_2011()))
    assert estimate.value is None
    assert "krippendorff" in estimate.reason


def test_alpha_gives_krippendorffs_own_values_for_his_four_observers():
    codes = krippendorff_2011()
    assert slow_alpha(codes.tolist(), nominal) == pytest.approx(0.743, abs=5e-4)
    assert slow_alpha(codes.tolist(), ordinal) == pytest.approx(0.815, abs=5e-4)
    assert estimate_nominal(*rated(codes)).value == pytest.approx(0.743, abs=5e-4)
    assert estimate_ordinal(*rated(codes)).value == pytest.approx(0.815, abs=5e-4)


def test_alpha_gives_the_known_value_for_three_coders_with_many_gaps():
    codes = three_coders()
    assert slow_alpha(codes.tolist(), nominal) == pytest.approx(0.691, abs=5e-4)
    assert estimate_nominal(*rated(codes)).value == pytest.approx(0.691, abs=5e-4)


codes_with_gaps = st.integers(2, 4).flatmap(
    lambda raters: st.lists(st.lists(st.integers(-1, 3), min_size=raters, max_size=raters), min_size=1, max_size=12))


@given(codes_with_gaps)
@settings(max_examples=100, deadline=None)
def test_fast_alphas_equal_their_definitions(codes):
    ratings, draws = rated(codes, levels=4)
    for fast, distance in ((estimate_nominal, nominal), (estimate_ordinal, ordinal)):
        value, slow = fast(ratings, draws).value, slow_alpha(codes, distance)
        assert (value is None) == (slow is None)
        assert value is None or value == pytest.approx(slow, abs=1e-9)


@given(codes_with_gaps, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_the_order_of_judges_and_items_does_not_matter(codes, random):
    columns, rows = list(range(len(codes[0]))), list(range(len(codes)))
    random.shuffle(columns)
    random.shuffle(rows)
    ratings, draws = rated(codes, levels=4)
    moved = Ratings(codes=ratings.codes[rows][:, columns], prompt=ratings.prompt[rows], levels=4)
    for measure in (estimate_raw, estimate_fleiss, estimate_nominal, estimate_ordinal):
        one, other = measure(ratings, draws), measure(moved, draws)
        assert one.reason == other.reason
        for field in ("value", "low", "high"):
            a, b = getattr(one, field), getattr(other, field)
            assert a == b or a == pytest.approx(b, abs=1e-9)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=30).filter(lambda v: len(set(v)) > 1), st.integers(2, 4))
@settings(max_examples=50, deadline=None)
def test_perfect_agreement_with_two_classes_is_one(values, raters):
    ratings, draws = rated([[value] * raters for value in values], levels=4)
    codes = ratings.codes
    for estimate in (estimate_raw(ratings, draws), estimate_fleiss(ratings, draws), estimate_nominal(ratings, draws),
                     estimate_ordinal(ratings, draws), estimate_cohen(codes[:, 0], codes[:, 1], ratings, draws)):
        assert estimate.value == pytest.approx(1.0)


@pytest.mark.parametrize("measure", [estimate_fleiss, estimate_nominal, estimate_ordinal])
def test_one_class_only_has_no_value_and_says_why(measure):
    estimate = measure(*rated([[2, 2, 2]] * 9))
    assert (estimate.value, estimate.low, estimate.high) == (None, None, None)
    assert "one class" in estimate.reason


@pytest.mark.parametrize("measure", [estimate_raw, estimate_fleiss, estimate_nominal, estimate_ordinal])
def test_items_rated_once_only_have_no_value_and_say_why(measure):
    estimate = measure(*rated([[0, -1], [-1, 1], [2, -1]]))
    assert estimate.value is None
    assert "twice" in estimate.reason


def test_independent_random_raters_have_zero_inside_nearly_every_interval():
    random = np.random.default_rng(5)
    hits = {"cohen": 0, "fleiss": 0, "nominal": 0, "ordinal": 0}
    for _ in range(60):
        ratings, draws = rated(random.integers(0, 3, (150, 3)), levels=3)
        codes = ratings.codes
        estimates = {
            "cohen": estimate_cohen(codes[:, 0], codes[:, 1], ratings, draws),
            "fleiss": estimate_fleiss(ratings, draws),
            "nominal": estimate_nominal(ratings, draws),
            "ordinal": estimate_ordinal(ratings, draws),
        }
        for name, estimate in estimates.items():
            hits[name] += estimate.low <= 0 <= estimate.high
    # 60 intervals at 95 % cover 57; fewer than 50 has a chance below 1e-3
    assert all(count >= 50 for count in hits.values()), hits


def test_nominal_and_ordinal_differ_where_near_misses_are_common():
    codes = [[a, min(3, a + b)] for a, b in product(range(4), (0, 1))] * 3
    ratings, draws = rated(codes, levels=4)
    assert estimate_ordinal(ratings, draws).value > estimate_nominal(ratings, draws).value + 0.2


def test_formulas_take_many_draws_at_once():
    totals = np.array([[5.0, 5.0], [10.0, 0.0]])
    assert np.isnan(alpha_nominal(totals, np.array([10.0, 10.0]))).tolist() == [False, True]
    assert np.isnan(alpha_ordinal(totals, np.array([0.0, 0.0]))).tolist() == [False, True]
