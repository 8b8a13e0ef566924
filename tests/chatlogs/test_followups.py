"""Follow-up likelihood against a server played by hand: what is asked, what is read, what becomes of the rest."""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import polars as pl
import pytest

from feedback.chatlogs.followups import FollowUps, follow_ups, length_correlation, likelihood, read_bank
from generators.ask import Ask
from generators.made import Made
from schemas import COMPLETIONS, MEASUREMENTS
from schemas.errors import ConfigError, EngineError, SchemaError
from tests.chatlogs.talk import counted, frame, obeys, staff
from tests.feedback.court import answer, prompts, responses

STAFF = staff("reader")
ASKED = prompts("p")
GIVEN = responses(answer("p", "good", "one two three"), answer("p", "bad", "one"), answer("p", "so", "one two"))
TWO = FollowUps(engine="reader", positive=("Thank you.", "Fine"), negative=("No way.",))


def spelled(ask: Ask, worth: float) -> str:
    """What vLLM gives for a prompt: its tokens here are pieces of three letters; those of the last turn cost worth."""
    said = "".join(f"<{turn['role']}>{turn['content']}" for turn in ask.messages[:-1]) + "<user>"
    parts = [(said[place:place + 3], -9.0) for place in range(0, len(said), 3)]
    last = ask.messages[-1]["content"]
    parts += [(last[place:place + 3], worth) for place in range(0, len(last), 3)] + [("<assistant>", -5.0)]
    tokens = [None, *({"17": {"logprob": value, "rank": 1, "decoded_token": piece}} for piece, value in parts)]
    return json.dumps({"prompt": tokens})


def worth(ask: Ask) -> float:
    """How likely each follow-up is after each answer."""
    return {"good": {"Thank you.": -1.0, "Fine": -2.0, "No way.": -4.0},
            "bad": {"Thank you.": -3.0, "Fine": -2.0, "No way.": -1.0},
            "so": {"Thank you.": -2.0, "Fine": -2.0, "No way.": -2.5}}[
        {"one two three": "good", "one": "bad", "one two": "so"}[ask.messages[-2]["content"]]][
        ask.messages[-1]["content"]]


def scored(logprobs: Callable[[Ask], str | None], failing: Callable[[Ask], bool] = lambda _: False) -> Made:
    rows: list[dict[str, Any]] = []
    for ask in TWO.plan(ASKED, GIVEN, STAFF):
        base = {"request_id": ask.request_id(STAFF["reader"]), "sample": 0, "attempt": 0, "prompt_id": ask.prompt_id,
                "engine": "reader", "model": "m", "revision": "r1"}
        rows.append({**base, "status": "error", "error": "500"} if failing(ask) else
                    {**base, "status": "ok", "text": "x", "logprobs": logprobs(ask)})
    made = TWO.measurements(ASKED, GIVEN, frame(COMPLETIONS, rows), STAFF)
    assert obeys(MEASUREMENTS, made.table)
    return made


def values(made: Made, name: str) -> dict[str, float]:
    return dict(made.table.filter(pl.col("name") == name).select("subject_id", "value").rows())


def test_the_reward_is_what_the_kind_ones_have_over_the_unkind() -> None:
    made = scored(lambda ask: spelled(ask, worth(ask)))
    assert values(made, "flr") == pytest.approx({"good": -1.5 + 4.0, "bad": -2.5 + 1.0, "so": -2.0 + 2.5})
    assert counted(made, "responses") == {"in": 3, "out": 3}


def test_each_follow_up_is_measured_against_its_own_average() -> None:
    made = scored(lambda ask: spelled(ask, worth(ask)))
    # "Thank you.": -1, -3, -2, so z of 1.2247, -1.2247, 0; "Fine" never varies; "No way.": -4, -1, -2.5 alike reversed.
    z = 1.5 ** 0.5
    assert values(made, "flr_z") == pytest.approx({"good": z / 2 + z, "bad": -z / 2 - z, "so": 0.0})


def test_what_is_asked_is_the_conversation_with_the_follow_up_behind_it() -> None:
    asks = TWO.plan(ASKED, GIVEN, STAFF)
    assert len(asks) == TWO.calls(3)[0] == 9
    assert [turn["role"] for turn in asks[0].messages] == ["user", "assistant", "user"]
    assert dict(asks[0].params) == {"prompt_logprobs": 0, "max_tokens": 1, "temperature": 0.0}
    assert asks[0].messages[:-1] == asks[1].messages[:-1] == asks[2].messages[:-1] != asks[3].messages[:-1]


def test_a_server_without_prompt_logprobs_is_an_error_that_says_what_to_do() -> None:
    for given in (None, '{"content": []}'):
        with pytest.raises(EngineError, match="engine 'reader' gives no log-probabilities of the prompt"):
            scored(lambda _, given=given: given)


def test_a_response_that_lacks_a_follow_up_has_no_score_and_is_counted() -> None:
    made = scored(lambda ask: spelled(ask, worth(ask)),
                  lambda ask: ask.messages[-2]["content"] == "one" and ask.messages[-1]["content"] == "Fine")
    assert counted(made, "responses") == {"in": 3, "out": 2, "no reply": 1}
    assert set(values(made, "flr")) == {"good", "so"}


def test_tokens_that_do_not_spell_the_follow_up_are_no_score() -> None:
    made = scored(lambda ask: spelled(ask, worth(ask)).replace("No ", "N? "))
    assert counted(made, "responses") == {"in": 3, "out": 0, "follow-up not found": 3}


def test_only_the_tokens_of_the_last_place_count_and_all_of_them() -> None:
    def prompt(*parts: tuple[str, float | None]) -> str:
        return json.dumps({"prompt": [None, *({"1": {"decoded_token": piece, "logprob": value}}
                                              for piece, value in parts)]})

    twice = prompt(("No", -1.0), (" way", -1.0), (".", -1.0), ("\n", -7.0), ("No", -2.0), (" wa", -4.0), ("y.\n", -6.0))
    assert likelihood(twice, "No way.", "reader") == fmean([-2.0, -4.0, -6.0])
    assert likelihood(prompt(("No", None), (" way.", -1.0)), "No way.", "reader") is None
    assert likelihood(prompt(("Yes", -1.0)), "No way.", "reader") is None


def test_the_bank_we_ship_has_ten_of_each_and_other_banks_are_checked(tmp_path: Path) -> None:
    shipped = follow_ups("reader")
    assert (len(shipped.positive), len(shipped.negative)) == (10, 10)
    path = tmp_path / "bank.txt"
    for wrong in ("", "[positive]\nThanks", "[positive]\nA\n[negative]\nA", "Thanks\n[negative]\nNo"):
        path.write_text(wrong, encoding="utf-8")
        with pytest.raises(ConfigError, match=r"under \[positive\] and \[negative\]"):
            read_bank(path)
    path.write_text("[positive]\n# kind\nA\n\n[negative]\nB\n", encoding="utf-8")
    assert read_bank(path) == {"positive": ("A",), "negative": ("B",)}
    with pytest.raises(ConfigError, match="cannot read"):
        follow_ups("reader", tmp_path / "none.txt")


def test_a_response_to_no_prompt_is_refused() -> None:
    with pytest.raises(SchemaError, match="not among the prompts"):
        TWO.plan(prompts("other"), GIVEN, STAFF)


def test_the_correlation_with_length_is_that_of_ranks() -> None:
    made = scored(lambda ask: spelled(ask, worth(ask)))
    assert length_correlation(made.table, GIVEN) == pytest.approx(1.0)
    assert length_correlation(made.table.head(1), GIVEN) is None
