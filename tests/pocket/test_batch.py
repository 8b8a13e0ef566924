"""Continuous batching: a reply is the same alone and among others, and ends where it should."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from generators.pocket.batch import Batch, Order, Written
from generators.pocket.llama import CHUNK
from generators.pocket.worker import open_batch
from tests.pocket.folders import write_folder

Alone = Callable[[Order], Written]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("model"), hidden=32, heads=1, gated=64, layers=2, spread=0.3)


def order(number: int = 0, **more: Any) -> Order:
    given = {"tokens": [3, *range(20, 60), 3], "most": 20, "seed": 5} | more
    return Order(number=number, model="m", **given)


def run(batch: Batch, *orders: Order) -> dict[int, Written]:
    for one in orders:
        batch.add(one)
    found = {}
    while batch.busy:
        found |= {written.number: written for written in batch.step()}
    return found


@pytest.fixture(scope="module")
def alone(folder: Path) -> Alone:
    """Writes one reply with no other in the batch."""
    batch = open_batch(folder)
    return lambda one: run(batch, one)[one.number]


def test_every_reply_is_the_one_it_would_be_alone(folder: Path, alone: Alone) -> None:
    orders = [order(number, tokens=[3, *range(30, 40 + 3 * (number % 25)), 3], seed=number, most=5 + number % 30,
                    temperature=(0.0, 0.7, 1.3)[number % 3], schema=("verdict", None)[number % 2])
              for number in range(70)]
    assert run(open_batch(folder), *orders) == {one.number: alone(one) for one in orders}


def test_a_reply_that_joins_later_is_the_same(folder: Path, alone: Alone) -> None:
    batch, late = open_batch(folder), order(9, seed=1)
    for number in range(5):
        batch.add(order(number, seed=number, most=30))
    for _ in range(7):
        batch.step()
    assert run(batch, late)[9] == alone(late)


def test_seeds_and_choices_differ_and_repeat(alone: Alone) -> None:
    texts = [alone(order(seed=seed, choice=choice)).text for seed in (1, 2) for choice in (0, 1)]
    assert len(set(texts)) == 4
    assert alone(order(seed=2, choice=1)).text == texts[3]


def test_a_common_beginning_is_computed_once(folder: Path, alone: Alone) -> None:
    batch, shared = open_batch(folder), list(range(10, 10 + 2 * CHUNK))
    orders = [order(number, tokens=[*shared, 100 + number], temperature=0.0) for number in range(6)]
    found = run(batch, *orders)
    assert batch.shared == 5 * 2 * CHUNK
    assert found == {one.number: alone(one) for one in orders}


def test_a_prompt_of_whole_chunks_that_is_asked_twice_still_gets_its_logits(folder: Path) -> None:
    batch, prompt = open_batch(folder), list(range(10, 10 + 2 * CHUNK))
    first = run(batch, order(1, tokens=prompt))[1]
    assert run(batch, order(2, tokens=prompt))[2].text == first.text


def test_a_reply_is_cut_at_its_length_and_says_so(alone: Alone) -> None:
    found = alone(order(most=7, temperature=0.0))
    assert (found.tokens, found.finish) == (7, "length")


def test_a_reply_ends_before_a_stop_text_even_within_a_token(alone: Alone) -> None:
    whole = alone(order(most=20)).text
    [stop] = re.findall("[a-z]{2}", whole)[:1]
    found = alone(order(most=20, stop=["never said", stop]))
    assert (found.text, found.finish) == (whole[:whole.index(stop)], "stop")


def test_the_end_token_ends_a_reply_and_is_no_text(alone: Alone) -> None:
    found = next(written for seed in range(300)
                 if (written := alone(order(seed=seed, most=60, temperature=2.0))).finish == "stop")
    assert found.tokens <= 60
    assert "<|end|>" not in found.text


@pytest.mark.parametrize("schema", ["verdict", "inputs"])
def test_a_reply_under_a_schema_is_its_json_or_cut(schema: str, folder: Path) -> None:
    found = run(open_batch(folder), *(order(seed, seed=seed, most=150, temperature=1.5, schema=schema)
                                      for seed in range(12)))
    ended = [json.loads(written.text) for written in found.values() if written.finish == "stop"]
    assert ended
    assert all(("verdict" if schema == "verdict" else "inputs") in reply for reply in ended)


def test_chances_are_told_for_each_token_of_the_text(alone: Alone) -> None:
    found = alone(order(most=6, temperature=0.0, tops=3))
    assert found.chances is not None
    assert len(found.chances) == 6
    for chosen, tops in found.chances:
        assert len(tops) == 3
        assert tuple(chosen) == tuple(tops[0])  # the likeliest was taken
        assert tops[0][1] >= tops[1][1] >= tops[2][1]
    assert alone(order(most=6)).chances is None


def test_a_cancelled_order_is_forgotten_waiting_or_begun(folder: Path) -> None:
    batch = open_batch(folder)
    batch.add(order(1))
    batch.step()
    batch.add(order(2))
    batch.cancel(1)
    batch.cancel(2)
    assert not batch.busy
    assert run(batch, order(3)).keys() == {3}
