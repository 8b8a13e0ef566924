"""Ids and draws: functions of what they concern, and of nothing else."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import canonical, digest, draw, pick, seed_of, shuffled, text_digest

ROOT = Path(__file__).parent.parent.parent

# Text that UTF-8 can hold: a lone surrogate is no text.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4))
ids = st.lists(texts, max_size=12, unique=True)


def test_a_digest_is_the_sha256_of_the_canonical_parts() -> None:
    written = '["prompt",[["user","grüß"]],null]'.encode()
    assert digest("prompt", [["user", "grüß"]], None) == hashlib.sha256(written).hexdigest()[:24]


def test_a_text_digest_is_the_sha256_of_its_utf8_bytes() -> None:
    # The first 24 digits of the FIPS 180-2 example, SHA-256("abc").
    assert text_digest("abc") == "ba7816bf8f01cfea414140de"


def test_a_number_that_json_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest(float("nan"))


@given(st.dictionaries(texts, values, max_size=5))
def test_the_order_of_keys_changes_no_digest(value: dict[str, Any]) -> None:
    assert digest(value) == digest(dict(reversed(value.items())))


@given(st.lists(texts, max_size=4), st.lists(texts, max_size=4))
def test_different_parts_have_different_digests(one: list[str], other: list[str]) -> None:
    assert (digest(*one) == digest(*other)) == (one == other)


@given(values)
def test_canonical_bytes_have_no_layout(value: Any) -> None:
    assert b"\n" not in canonical(value)
    assert canonical([value]) == b"[" + canonical(value) + b"]"


def test_another_process_with_another_hash_seed_draws_the_same() -> None:
    code = "from schemas.ids import *; print(digest('a', {'b': 1, 'c': 2}), draw(7, 'order', 'x'), seed_of('r', 0, 1))"
    told = {subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, cwd=ROOT, check=True,
                           capture_output=True, text=True).stdout for seed in ("1", "2")}
    assert told == {f"{digest('a', {'c': 2, 'b': 1})} {draw(7, 'order', 'x')} {seed_of('r', 0, 1)}\n"}


@given(st.integers(), texts, texts)
def test_a_draw_is_at_least_zero_and_below_one(seed: int, purpose: str, item: str) -> None:
    assert 0.0 <= draw(seed, purpose, item) < 1.0


def test_draws_are_uniform_and_independent_of_each_other() -> None:
    first = [draw(0, "order", str(number)) for number in range(4000)]
    second = [draw(0, "noise", str(number)) for number in range(4000)]
    deciles = [sum(int(10 * value) == tenth for value in first) for tenth in range(10)]
    # Each decile is binomial(4000, 0.1): five standard deviations are 95.
    assert all(abs(count - 400) < 95 for count in deciles)
    mean_product = sum(a * b for a, b in zip(first, second, strict=True)) / 4000
    # E[ab] = 1/4 with standard deviation sqrt(7/144 / 4000) = 0.0035.
    assert abs(mean_product - 0.25) < 0.018


@given(texts, st.integers(0, 9), st.integers(0, 2))
def test_a_servers_seed_fits_31_bits_and_a_reask_has_another(request: str, sample: int, attempt: int) -> None:
    assert 0 <= seed_of(request, sample, attempt) < 2**31
    assert seed_of(request, sample, attempt) != seed_of(request, sample, attempt + 1)


@given(ids, st.randoms(use_true_random=False), st.integers(0, 5))
def test_a_shuffle_holds_the_same_items_whatever_order_they_came_in(items: list[str], random: Any, seed: int) -> None:
    mixed = list(items)
    random.shuffle(mixed)
    assert sorted(shuffled(items, seed, "order", "p")) == sorted(items)
    assert shuffled(mixed, seed, "order", "p") == shuffled(items, seed, "order", "p")


@given(ids.filter(bool), st.integers(0, 5))
def test_one_more_item_leaves_the_others_in_their_shuffled_order(items: list[str], seed: int) -> None:
    fewer = shuffled(items[:-1], seed, "order")
    assert [item for item in shuffled(items, seed, "order") if item != items[-1]] == fewer


def test_a_shuffle_puts_each_of_two_first_about_half_of_the_time() -> None:
    first = sum(shuffled(["a", "b"], 0, "order", str(number))[0] == "a" for number in range(2000))
    assert abs(first - 1000) < 112  # five standard deviations


@given(ids, st.integers(0, 14), st.integers(0, 5))
def test_a_pick_takes_k_in_their_given_order(items: list[str], k: int, seed: int) -> None:
    picked = pick(items, k, seed, "models", "p")
    assert len(picked) == min(k, len(items))
    assert picked == [item for item in items if item in picked]


@given(ids, st.integers(0, 14), st.randoms(use_true_random=False))
def test_who_is_picked_does_not_depend_on_the_given_order(items: list[str], k: int, random: Any) -> None:
    mixed = list(items)
    random.shuffle(mixed)
    assert set(pick(mixed, k, 3, "models", "p")) == set(pick(items, k, 3, "models", "p"))


@given(ids.filter(lambda items: len(items) > 1))
def test_one_more_member_of_the_pool_replaces_at_most_one_pick(items: list[str]) -> None:
    before, after = set(pick(items[:-1], 3, 1, "models", "p")), set(pick(items, 3, 1, "models", "p"))
    assert len(before - after) <= 1
    assert after - before <= {items[-1]}
