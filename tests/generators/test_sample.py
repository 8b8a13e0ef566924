"""SAMPLE: who is asked what, and what becomes of the answers."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.ask import Ask
from generators.client import collect
from generators.engines import Engine
from generators.sample import Member, Principle, Sample, sample
from generators.store import ReplyStore
from schemas.completions import COMPLETIONS
from schemas.errors import ConfigError
from schemas.messages import prompt_id
from schemas.prompts import PROMPTS
from schemas.responses import RESPONSES
from tests.generators.loopback import Loopback, Sent, engine, said

Start = Callable[..., Loopback]
NAMES = ("a", "b", "c", "d")
ENGINES = {name: Engine(name=name, model=f"m-{name}", url="http://x", revision=None) for name in [*NAMES, "e"]}
HELPFUL, HONEST = Principle("helpful", ("Be of help.", "Help.")), Principle("honest", ("Do not lie.",))


def prompts(count: int, start: int = 0, source: str = "s", system: str | None = None, **more: Any) -> pl.DataFrame:
    rows = []
    for number in range(start, start + count):
        turns = [{"role": "user", "content": f"question {number}"}]
        if system:
            turns.insert(0, {"role": "system", "content": system})
        rows.append({"prompt_id": prompt_id(turns), "messages": turns, "sources": [source], "licences": ["mit"],  # type: ignore[arg-type]
                     "group": str(number), **more})
    return pl.DataFrame(pl.from_arrow(PROMPTS.rows(rows)))


def asked(made: Sample, rows: pl.DataFrame) -> list[Ask]:
    return list(made.plan(rows, ENGINES))


def keys(made: Sample, rows: pl.DataFrame) -> set[tuple[str, int]]:
    return {(ask.request_id(ENGINES[ask.engine]), ask.sample) for ask in asked(made, rows)}


def completions(made: Sample, rows: pl.DataFrame, **fields: Any) -> pl.DataFrame:
    """What a client would give if every model said its own name."""
    done = [{"request_id": ask.request_id(ENGINES[ask.engine]), "sample": ask.sample, "attempt": 0, "status": "ok",
             "prompt_id": ask.prompt_id, "engine": ask.engine, "model": ENGINES[ask.engine].model,
             "text": f"{ask.engine} {ask.sample}", "finish_reason": "stop", "completion_tokens": 2, **fields}
            for ask in asked(made, rows)]
    return pl.DataFrame(pl.from_arrow(COMPLETIONS.rows(done)))


def test_every_model_answers_every_prompt_n_times() -> None:
    made = sample(NAMES, n=3)
    plan = asked(made, prompts(5))
    assert Counter((ask.engine, ask.sample) for ask in plan) == {(name, n): 5 for name in NAMES for n in range(3)}
    assert made.calls(5) == (60, 60)
    assert made.engines == set(NAMES)


def test_a_member_s_own_settings_win() -> None:
    made = sample(["a", Member(engine="b", n=2, system="Be brief.", params={"temperature": 0.0})], temperature=1.0,
                  top_p=0.9, max_tokens=7, stop=["x"], system="Be kind.")
    a, b, _ = asked(made, prompts(1))
    assert dict(a.params) == {"temperature": 1.0, "top_p": 0.9, "max_tokens": 7, "stop": ["x"]}
    assert dict(b.params) == {"temperature": 0.0, "top_p": 0.9, "max_tokens": 7, "stop": ["x"]}
    assert a.messages[0] == {"role": "system", "content": "Be kind."}
    assert b.messages[0] == {"role": "system", "content": "Be brief."}
    assert made.calls(1) == (3, 3)


def test_settings_that_are_not_given_are_the_engine_s() -> None:
    assert dict(asked(sample(["a"]), prompts(1))[0].params) == {}


def test_tools_of_a_prompt_are_offered() -> None:
    ask = asked(sample(["a"]), prompts(1, tools='[{"type":"function"}]'))[0]
    assert ask.params["tools"] == [{"type": "function"}]


def test_a_new_model_adds_its_own_requests_only() -> None:
    rows = prompts(20)
    before, after = keys(sample(NAMES, n=2), rows), keys(sample([*NAMES, "e"], n=2), rows)
    assert before < after
    assert len(after - before) == 40


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(0, 40))
def test_a_new_prompt_adds_its_own_requests_only(seed: int, k: int, count: int) -> None:
    made = sample(NAMES, k=k, principles=[HELPFUL, HONEST], seed=seed)
    before, after = keys(made, prompts(count)), keys(made, pl.concat([prompts(1, start=1000), prompts(count)]))
    assert before < after
    assert len(after - before) == k


def test_a_new_model_with_k_takes_one_place_in_its_share_of_the_prompts() -> None:
    def chosen(names: tuple[str, ...]) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for ask in asked(sample(names, k=2), prompts(500)):
            found.setdefault(ask.prompt_id, set()).add(ask.engine)
        return found

    before, after = chosen(NAMES), chosen((*NAMES, "e"))
    changed = [name for name in before if before[name] != after[name]]
    assert all("e" in after[name] and len(before[name] & after[name]) == 1 for name in changed)
    assert len(changed) == pytest.approx(500 * 2 / 5, rel=0.2)


def test_k_of_m_uses_every_model_equally() -> None:
    used = Counter(ask.engine for ask in asked(sample(NAMES, k=2), prompts(1000)))
    assert used.total() == 2000
    assert all(count == pytest.approx(500, rel=0.1) for count in used.values())


def test_calls_bound_a_pool_whose_models_give_different_numbers() -> None:
    made = sample([Member(engine="a", n=5), "b", "c"], k=2)
    assert made.calls(10) == (20, 60)
    assert 20 <= len(asked(made, prompts(10))) <= 60


def test_principles_are_drawn_by_weight_for_each_prompt_and_model() -> None:
    made = sample(["a"], principles={HELPFUL: 3.0, HONEST: 1.0})
    said = Counter(ask.messages[0]["content"] for ask in asked(made, prompts(2000)))
    assert said["Do not lie."] == pytest.approx(500, rel=0.15)
    assert said["Be of help."] == pytest.approx(750, rel=0.15)
    assert said.total() == 2000


def test_principles_may_depend_on_the_source() -> None:
    made = sample(NAMES, principles={"truthful_qa": [HONEST], "*": [HELPFUL]})
    assert {a.messages[0]["content"] for a in asked(made, prompts(9, source="truthful_qa"))} == {"Do not lie."}
    assert {a.messages[0]["content"] for a in asked(made, prompts(9))} == {"Be of help.", "Help."}
    with pytest.raises(ConfigError, match=r"source 's'.*'\*' for all other"):
        asked(sample(NAMES, principles={"truthful_qa": [HONEST]}), prompts(1))


def test_a_principle_joins_the_prompt_s_own_system_turn() -> None:
    ask = asked(sample(["a"], principles=[HONEST], system="Be kind."), prompts(1, system="You are a nurse."))[0]
    assert [turn["role"] for turn in ask.messages] == ["system", "user"]
    assert ask.messages[0]["content"] == "You are a nurse.\n\nBe kind.\n\nDo not lie."


def test_responses_name_the_criteria_they_were_made_under() -> None:
    made = sample(NAMES, principles={HELPFUL: 1, HONEST: 1}, system="Be kind.")
    rows = prompts(30)
    texts = dict(made.criteria().select("criterion_id", "text").rows())
    said = {(ask.prompt_id, ask.engine): ask.messages[0]["content"] for ask in asked(made, rows)}
    table = made.responses(rows, completions(made, rows)).table
    assert table.height == 120
    for row in table.iter_rows(named=True):
        assert {texts[name] for name in row["criteria"]} == set(said[row["prompt_id"], row["engine"]].split("\n\n"))


def test_responses_are_joined_by_key_whatever_the_order() -> None:
    made, rows = sample(NAMES, n=2, k=3), prompts(10)
    done = completions(made, rows)
    table = made.responses(rows, done).table
    again = made.responses(rows.reverse(), done.sample(fraction=1.0, shuffle=True, seed=3)).table
    assert again.equals(table)
    assert RESPONSES.check(RESPONSES.conform(table.to_arrow()))[0] == []
    for row in table.iter_rows(named=True):
        assert (row["text"], row["model"]) == (f"{row['engine']} {row['sample']}", f"m-{row['engine']}")


def test_the_first_attempt_that_parses_is_the_answer_and_failures_are_counted_by_reason() -> None:
    made, rows = sample(["a"]), prompts(5)
    base = completions(made, rows).sort("prompt_id").to_dicts()
    invalid = {"status": "invalid", "error": "empty answer", "text": ""}
    error = {"status": "error", "text": None}
    done = [
        {**base[0], **invalid}, {**base[0], "attempt": 1, "text": "second"}, {**base[0], "attempt": 2, "text": "third"},
        {**base[1], **invalid}, {**base[1], **invalid, "attempt": 1},
        {**base[2], **error, "error": "HTTP 400: 17 tokens too many"}, {**base[3], **error, "error": "HTTP 400: other"},
    ]
    result = made.responses(rows, pl.DataFrame(pl.from_arrow(COMPLETIONS.rows(done))))
    assert result.table.select("text", "attempt").rows() == [("second", 1)]
    assert {(c.fate, c.reason): c.count for c in result.counts} == {
        ("in", ""): 5, ("out", ""): 1, ("failed", "HTTP 400"): 2, ("failed", "empty answer"): 1,
        ("failed", "missing"): 1,
    }


def test_two_prompts_that_lead_to_the_same_request_both_get_their_answer(loopback: Start, replies: ReplyStore) -> None:
    async def answer(sent: Sent) -> dict[str, Any]:
        return said("x")

    server = loopback(answer)
    rows = pl.concat([prompts(1), prompts(1, system="Be kind.")])
    made = sample([Member(engine="e", system=None)], system=None)
    kind = sample(["e"], system="Be kind.")
    plain = collect(made.plan(rows, engine(server)), engine(server), replies, made.parse)
    assert plain.height == len(server.sent) == 2
    assert made.responses(rows, plain).table.height == 2
    both = pl.concat([prompts(1), prompts(1)])
    assert kind.plan(both, engine(server)).count == 2
    table = collect(kind.plan(prompts(1), engine(server)), engine(server), replies, kind.parse)
    assert len(server.sent) == 2, "the request is the one of the prompt whose own system turn says so"
    assert kind.responses(prompts(1), table).table.height == 1


def test_empty_text_is_no_answer() -> None:
    made = sample(["a"])
    assert made.parse(" \n") == "empty answer"
    assert made.parse("no") is None


def test_no_prompts_make_an_empty_table() -> None:
    made = sample(NAMES)
    result = made.responses(prompts(0), completions(made, prompts(0)))
    assert result.table.is_empty()
    assert list(result.table.columns) == [column.name for column in RESPONSES.columns]


@pytest.mark.parametrize(("settings", "told"), [
    ({"pool": []}, "pool is empty"),
    ({"pool": ["a", "a"]}, "'a' is in the pool twice"),
    ({"pool": ["a"], "k": 2}, "k=2 of a pool of 1"),
    ({"pool": ["a"], "n": 0}, "n must be 1"),
    ({"pool": ["a"], "principles": {HELPFUL: -1.0}}, "weights"),
    ({"pool": ["a"], "principles": [HELPFUL, Principle("helpful", ("x",))]}, "names of their own"),
])
def test_what_cannot_be_is_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        sample(**settings)


def test_an_unknown_engine_is_refused_with_the_closest_name() -> None:
    with pytest.raises(ConfigError, match=r"sample asks for engine 'aa'.*did you mean 'a'"):
        sample(["aa"]).plan(prompts(1), ENGINES)
