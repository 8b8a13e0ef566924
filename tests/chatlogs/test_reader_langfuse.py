"""Langfuse: observations and scores in files of their own, in snake and camel case, and a trace that holds both."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from feedback.chatlogs.readers.langfuse import FORMAT
from tests.chatlogs.flat import Row, broken, conversations, of, told
from tests.chatlogs.reading import FIXTURES, counted, left_out, read

OBSERVATIONS, SCORES = FIXTURES / "langfuse_observations.jsonl", FIXTURES / "langfuse_scores.jsonl"


def test_generations_of_a_session_are_one_conversation() -> None:
    found = read(OBSERVATIONS)
    assert conversations(found) == [
        ["Ahoy", "Ahoy!"],
        ["Are you there?"],
        ["Be brief.", "Name a star", "Vega.", "Brighter", "Sirius."],
        ["Is it late?", "No."],
        ["One", "1", "Two", "2"],
    ]
    assert of(found, "model")["Sirius."] == "gpt-4o"
    assert of(found, "created_at")["Vega."] == datetime(2024, 5, 29, 13, 46, 21, tzinfo=UTC)
    assert left_out(found, "messages") == {"repeated": 5, "the request failed": 1}
    assert left_out(found, "records") == {"holds no conversation": 1}  # the span
    assert counted(found, "conversations", "out") == 5


def test_scores_find_their_answers_from_either_side_and_say_who_gave_them() -> None:
    expected: list[Row] = [
        ("comment", "Sirius.", [], None, ["note"], "Right, though curt.", "human"),
        ("flag", "Vega.", [], None, ["curt", "tone"], None, "human"),
        ("score", "1", [], 1.0, ["correct"], None, "llm"),
        ("score", "Vega.", [], 0.8, ["helpful"], "Names a star.", "llm"),
        ("score", "Vega.", [], 1.0, ["latency-ok"], None, "code"),
        ("thumb", "Sirius.", [], -1.0, ["user-thumb"], None, "human"),
    ]
    for order in ((OBSERVATIONS, SCORES), (SCORES, OBSERVATIONS)):
        found = read(*order)
        assert told(found, "value", "labels", "text", "actor_kind") == expected
        assert left_out(found, "signals") == {
            "about a session or a run of a data set, not an answer": 1, "its message is in no log": 1, "no value": 1}
    thumb = found.signals.filter(kind="thumb")
    assert thumb["conv_id"].item() == of(found, "conv_id")["Sirius."]


def test_a_score_of_a_trace_is_of_its_last_answer(tmp_path: Path) -> None:
    score = {"id": "z", "trace_id": "t6", "observation_id": None, "name": "user-csat", "value": 5, "source": "API",
             "data_type": "NUMERIC", "timestamp": "2024-06-01 12:00:00"}
    (tmp_path / "scores.jsonl").write_text(json.dumps(score), encoding="utf-8")
    found = read(OBSERVATIONS, tmp_path / "scores.jsonl")
    assert ("score", "2", [], 5.0, ["user-csat"], "human") in told(found, "value", "labels", "actor_kind")


@pytest.mark.parametrize("reverse", [False, True])
def test_a_score_of_a_trace_is_of_its_latest_answer_by_the_day_whatever_the_order_of_the_rows(
        tmp_path: Path, reverse: bool) -> None:
    calls = [{"id": f"o{day}", "traceId": "t", "type": "GENERATION", "startTime": f"2024-06-0{day}T10:00:00Z",
              "input": [{"role": "user", "content": f"Ask {day}"}], "output": {"role": "assistant", "content": said}}
             for day, said in ((1, "Early."), (2, "Late."))]
    score = {"id": "z", "traceId": "t", "observationId": None, "name": "csat", "value": 5, "source": "API",
             "dataType": "NUMERIC", "timestamp": "2024-06-01T12:00:00Z"}
    rows = [json.dumps(row) for row in sorted(calls, key=lambda row: str(row["id"]), reverse=reverse)]
    (tmp_path / "rows.jsonl").write_text("\n".join([*rows, json.dumps(score)]), encoding="utf-8")
    assert [row[:2] for row in told(read(tmp_path))] == [("score", "Late.")]
    assert [row[:2] for row in told(read(tmp_path, day=date(2024, 6, 1)))] == [("score", "Early.")]


def test_a_session_from_the_page_holds_its_traces(tmp_path: Path) -> None:
    traces = [{"id": f"t{number}", "timestamp": f"2024-06-0{number}T10:00:00Z", "userId": "u",
               "input": {"messages": [{"role": "user", "content": "Hi"}, *more]}, "output": answer}
              for number, more, answer in ((1, [], "Hello"), (2, [{"role": "assistant", "content": "Hello"},
                                                                  {"role": "user", "content": "Bye"}], "So long"))]
    (tmp_path / "session.json").write_text(json.dumps({"id": "sess", "traces": traces}), encoding="utf-8")
    assert conversations(read(tmp_path / "session.json")) == [["Hi", "Hello", "Bye", "So long"]]


def test_a_row_of_nothing_known_says_what_to_export() -> None:
    assert broken(FORMAT, {"id": "x"}) == (
        "is no row of a Langfuse export; export observations, scores or traces as JSON Lines")
