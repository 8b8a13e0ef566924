"""Datasets from chat logs: planted logs are read, paired and checked, by day and whole, and what is wrong stops."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from assets import chatlog_views, views
from assets.chatlog_checks import check_event_pairs, check_events
from assets.dataset import PreferenceDataset
from assets.home import Build
from assets.recipe import build_stages, input_digests
from assets.stage import Means, Stage
from audits.chatlogs import trail
from feedback.chatlogs.answers import logged
from feedback.chatlogs.cues import cues
from feedback.chatlogs.logs import chat_logs
from filters.pairs import identical
from generators.read import read
from generators.sample import sample
from generators.store import ReplyStore
from preferences.by_events import pair_by_events
from preferences.pair import pair
from preferences.unpaired_by_events import unpaired_by_events
from privacy.forgotten import remember
from schemas.errors import ConfigError
from schemas.funnel import check_balance

MONDAY, TUESDAY, LATER = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 9)


def at(day: date, minute: int) -> float:
    """A moment of a day, in seconds since 1970."""
    return datetime(day.year, day.month, day.day, 9, minute, tzinfo=UTC).timestamp()


def chat(name: str, user: str, *turns: tuple[str, str, str | None, float | None, dict[str, Any]]) -> dict[str, Any]:
    """An exported chat of Open WebUI: each turn is id, text, parent, time and more; ids of answers begin with a."""
    messages = {key: {"id": key, "parentId": parent, "role": "assistant" if key[0] == "a" else "user", "content": text,
                      **({} if time is None else {"timestamp": time}), **({"model": "bot"} if key[0] == "a" else {}),
                      "childrenIds": [other for other, _, above, _, _ in turns if above == key], **more}
                for key, text, parent, time, more in turns}
    return {"id": name, "user_id": user, "chat": {"id": name, "history": {
        "messages": messages, "currentId": turns[-1][0]}}}


def write(path: Path, *chats: dict[str, Any]) -> Path:
    path.write_text(json.dumps(chats))
    return path


COMPLAINT = chat(
    "one", "ann", ("u1", "Add 2 and 2.", None, at(MONDAY, 0), {}), ("a1", "5", "u1", at(MONDAY, 1), {}),
    ("u2", "That is wrong.", "a1", at(MONDAY, 2), {}), ("a2", "4", "u2", at(MONDAY, 3), {}))
CONTENT = chat(*("one", "ann"), *((key, row["content"], row["parentId"], row["timestamp"], {}) for key, row in
                                 COMPLAINT["chat"]["history"]["messages"].items()),
               ("u3", "Thanks, that works!", "a2", at(TUESDAY, 0), {}))
REGENERATED = chat(
    "two", "bob", ("u1", "Name a bird.", None, at(TUESDAY, 5), {}), ("a1", "A bat.", "u1", at(TUESDAY, 6), {}),
    ("a2", "A wren.", "u1", at(TUESDAY, 7), {"annotation": {"rating": 1}}),
    ("u2", "And a fish?", "a2", at(TUESDAY, 8), {}))
UNDATED = chat("three", "cat", ("u1", "Say yes.", None, None, {}), ("a1", "No.", "u1", None, {
    "annotation": {"rating": -1}}))


def dataset(folder: Path, **more: Any) -> PreferenceDataset:
    """The recipe of these logs."""
    recipe = {"name": "logs", "messages": chat_logs(folder / "logs"), "feedback_events": cues(), "prompts": logged(),
              "responses": logged(), "preferences": pair_by_events("thumb", "regenerate", "repair"),
              "kept": [identical], "unpaired": unpaired_by_events()}
    return PreferenceDataset(**{**recipe, **more})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with logs."""
    (tmp_path / "logs").mkdir()
    write(tmp_path / "logs" / "chats.json", CONTENT, REGENERATED)
    return tmp_path


def built(recipe: PreferenceDataset, folder: Path, name: str = "all", today: date = LATER) -> dict[str, pl.DataFrame]:
    """The tables of a build and its dataset folder, made as the assets make them, without Dagster."""
    tables: dict[str, pl.DataFrame] = {}
    build = Build(folder / "builds" / name)
    means = Means(engines={}, store=ReplyStore.__new__(ReplyStore), runs=folder / "runs", build=name,
                  home=folder / "home", today=today)
    for stage in build_stages(recipe):
        inputs = {table: tables[table] for table in stage.needs}
        if stage.make is not None:
            output = stage.make(means, inputs)
            check_balance(output.counts)
            tables |= output.tables
            for table, schema in stage.writes.items():
                build.write(table, schema, output.tables[table])
            _shown(stage, {**inputs, **output.tables})
        elif stage.write_folder is not None and tables["kept"].height:
            stage.write_folder(build, inputs)
    return tables


def _shown(stage: Stage, tables: dict[str, pl.DataFrame]) -> None:
    """What the UI shows can be made, and every check is reported and passes."""
    for view in stage.show.values():
        view(tables)
    told = stage.check(tables) if stage.check else []
    assert [one.name for one in told] == [spec.name for spec in stage.checks if stage.check]
    assert [one.name for one in told if not one.passed] == ([] if tables.get("kept", tables[stage.name]).height else [
        "something_is_kept"] if stage.name == "kept" else [])


def bytes_of(folder: Path, name: str) -> dict[str, bytes]:
    """Every file of a build."""
    root = folder / "builds" / name
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def pairs(tables: dict[str, pl.DataFrame]) -> set[tuple[str, str, str]]:
    """Rule, chosen and rejected of each kept pair."""
    return {(row["policy"], row["chosen"][0]["content"], row["rejected"][0]["content"])
            for row in tables["kept"].to_dicts()}


REPAIR, BIRD = ("repair", "4", "5"), ("regenerate", "A wren.", "A bat.")


def test_logs_become_pairs_and_labels_by_every_rule(folder: Path) -> None:
    tables = built(dataset(folder), folder)
    assert pairs(tables) == {REPAIR, BIRD}
    labels = {row["completion"][0]["content"]: row["label"] for row in tables["unpaired"].to_dicts()}
    assert labels == {"5": False, "4": True, "A wren.": True}


def test_the_card_tells_who_gave_what_feedback_and_what_it_made(folder: Path) -> None:
    tables = built(dataset(folder), folder)
    rows = {(row["kind"], row["detector"]): row for row in trail(
        tables["feedback_events"], tables["kept"], tables["unpaired"]).to_dicts()}
    assert rows["follow_up", "cues"] == {
        "kind": "follow_up", "actor_kind": "human", "explicitness": "text_explicit", "detector": "cues", "events": 2,
        "actors": 1, "pairs": 1, "labels": 2}
    assert (rows["regenerate", "siblings"]["pairs"], rows["regenerate", "siblings"]["labels"]) == (1, 0)
    card = (folder / "builds" / "all" / "dataset" / "README.md").read_text()
    assert "## Feedback" in card
    assert "regenerate" in card
    assert "ChatLogs" in card or "chatlogs(" in card


def test_no_table_holds_a_name_of_a_user_or_a_chat(folder: Path) -> None:
    for name, table in built(dataset(folder), folder).items():
        said = table.select(pl.col(pl.String).exclude("text", "source", "place")).unpivot()["value"].drop_nulls()
        assert not {"ann", "bob", "one", "two"} & set(said), name


def test_a_day_holds_what_was_touched_on_it_as_it_stood_at_its_end(folder: Path) -> None:
    recipe = dataset(folder)
    monday, tuesday = (built(recipe, folder, str(day)) for day in (MONDAY, TUESDAY))
    assert monday["messages"]["text"].sort().to_list() == ["4", "5", "Add 2 and 2.", "That is wrong."]
    assert pairs(monday) == set()
    assert pairs(tuesday) == {REPAIR, BIRD}  # the late thanks re-open Monday's conversation, whole


def test_a_build_of_a_day_is_the_same_bytes_again_and_whatever_happens_later(folder: Path) -> None:
    recipe = dataset(folder)
    built(recipe, folder, str(MONDAY))
    before = bytes_of(folder, str(MONDAY))
    write(folder / "logs" / "more.json", chat("late", "dan", ("u1", "Hi", None, at(LATER, 0), {}),
                                              ("a1", "Ho", "u1", at(LATER, 1), {"annotation": {"rating": 1}})))
    built(recipe, folder, str(MONDAY))
    after = bytes_of(folder, str(MONDAY))
    assert before.keys() == after.keys()
    tables = {f"{table}/{table}.parquet" for table in ("messages", "signals", "feedback_events", "prompts", "kept")}
    assert tables <= before.keys()
    assert all(before[name] == after[name] for name in tables)


def test_what_a_log_does_not_date_is_of_the_day_it_was_first_imported(folder: Path) -> None:
    write(folder / "logs" / "undated.json", UNDATED)
    recipe = dataset(folder)
    assert "Say yes." not in built(recipe, folder, str(TUESDAY), today=LATER)["messages"]["text"]
    again = built(recipe, folder, str(LATER), today=date(2026, 4, 1))
    assert again["messages"]["text"].sort().to_list() == ["A bat.", "A wren.", "And a fish?", "Name a bird.", "No.",
                                                          "Say yes."]  # and the bird, whose thumb has no date
    assert again["unpaired"]["label"].sort().to_list() == [False, True]


def test_a_broken_record_is_counted_and_stops_nothing(folder: Path) -> None:
    (folder / "logs" / "calls.jsonl").write_text('{"messages": [{"role": "user", "content": "Hi"}]}\n{"messages": [\n')
    stage = build_stages(dataset(folder))[0]
    assert stage.make is not None
    output = stage.make(Means(engines={}, store=ReplyStore.__new__(ReplyStore), runs=folder, home=folder / "home"), {})
    assert {(row.unit, row.reason): row.count for row in output.counts if row.fate == "failed"} == {
        ("records", "not JSON"): 1}
    assert "calls.jsonl, line 2" in str(output.spent["broken records"])


def test_a_person_who_is_forgotten_is_read_no_more(folder: Path) -> None:
    recipe = dataset(folder)
    ann = built(recipe, folder)["messages"].filter(pl.col("text") == "Add 2 and 2.")["user_hash"][0]
    remember(folder / "home", [ann])
    tables = built(recipe, folder, "again")
    assert pairs(tables) == {BIRD}
    assert "Add 2 and 2." not in tables["messages"]["text"]


def test_a_build_is_named_after_the_logs_it_reads(folder: Path) -> None:
    before = input_digests(dataset(folder))
    write(folder / "logs" / "chats.json", COMPLAINT)
    after = input_digests(dataset(folder))
    assert [Path(path).name for path in before] == ["chats.json"]
    assert before != after


def spoil(change: Callable[[dict[str, pl.DataFrame]], dict[str, pl.DataFrame]], folder: Path) -> dict[str, bool]:
    """Which checks pass once tables are spoilt."""
    tables = {**built(dataset(folder), folder)}
    tables |= change(tables)
    return {one.name: one.passed for one in [*check_events(tables), *check_event_pairs(tables)]}


def test_words_that_do_not_follow_their_answer_stop_the_build(folder: Path) -> None:
    answers = pl.col("target_msg_id").unique().sort().first()
    told = spoil(lambda tables: {"feedback_events": tables["feedback_events"].with_columns(target_msg_id=answers)},
                 folder)
    assert [name for name, passed in told.items() if not passed] == ["words_follow_their_answer"]


def test_words_that_follow_a_tools_message_follow_the_answer_that_called_it(folder: Path) -> None:
    def with_a_tool_between(tables: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        messages = tables["messages"]
        said = tables["feedback_events"].filter(pl.col("explicitness") != "structural")["evidence_msg_id"][0]
        tool = messages.filter(pl.col("msg_id") == said).with_columns(msg_id=pl.lit("tool"), role=pl.lit("tool"))
        moved = messages.with_columns(parent_id=pl.when(pl.col("msg_id") == said).then(pl.lit("tool"))
                                      .otherwise("parent_id"))
        return {"messages": pl.concat([moved, tool])}

    assert all(spoil(with_a_tool_between, folder).values())


def test_a_quote_that_nobody_said_stops_the_build(folder: Path) -> None:
    said = pl.when(pl.col("quote").is_not_null()).then(pl.lit("never said"))
    told = spoil(lambda tables: {"feedback_events": tables["feedback_events"].with_columns(quote=said)}, folder)
    assert not told["words_follow_their_answer"]


def test_a_prompt_that_ends_with_an_answer_stops_the_build(folder: Path) -> None:
    told = spoil(lambda tables: {"preferences": tables["preferences"].with_columns(prompt=pl.concat_list(
        "prompt", "chosen"))}, folder)
    assert [name for name, passed in told.items() if not passed] == ["prompts_end_with_a_user"]


def test_a_chosen_answer_that_knows_the_feedback_is_a_warning(folder: Path) -> None:
    def leaky(tables: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        sorry = [[{"role": "assistant", "content": "I apologize, it is 4"}]] * tables["preferences"].height
        return {"preferences": tables["preferences"].with_columns(chosen=pl.Series(
            sorry, dtype=tables["preferences"]["chosen"].dtype))}

    told = spoil(leaky, folder)
    assert not told["chosen_knows_no_feedback"]
    assert not told["texts_are_the_responses"]


def test_one_user_who_makes_the_dataset_is_a_warning(folder: Path) -> None:
    def many(tables: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        return {"preferences": pl.concat([tables["preferences"].head(1)] * 20)}

    assert not spoil(many, folder)["no_user_makes_the_dataset"]


@pytest.mark.parametrize(("more", "told"), [
    ({"messages": None, "feedback_events": None}, "prompts= needs chat logs"),
    ({"prompts": read("prompts.jsonl")}, "write prompts=logged()"),
    ({"responses": sample(pool=("a",))}, "pair_by_events() pairs answers of the logs"),
    ({"responses": logged(licensed_only=False)}, "give both logged() alike"),
    ({"preferences": pair("by-model-order", models=("a", "b")), "responses": sample(pool=("a",))},
     "unpaired_by_events() labels answers of the logs"),
    ({"messages": "logs/*.json"}, "write chat_logs("),
    ({"unpaired": unpaired_by_events(seed=1, test_share=0.5)}, "split train and test in different ways"),
])
def test_recipes_that_could_not_be_finished_are_refused(folder: Path, more: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        dataset(folder, **more)
    assert told in str(caught.value)


def test_a_dataset_without_logs_has_none_of_their_stages(folder: Path) -> None:
    plain = replace(dataset(folder), messages=None, feedback_events=None, prompts=read("prompts.jsonl"),
                    responses=sample(pool=("a", "b")), preferences=pair("by-model-order", models=("a", "b")),
                    unpaired=None)
    assert next(stage.name for stage in build_stages(plain)) == "prompts"


def test_what_is_shown_of_pairs_has_no_empty_column_and_speaks_of_groups(folder: Path) -> None:
    tables = built(dataset(folder), folder)
    shown = views.pairs("kept")(tables)["sample pairs"]
    assert len(shown.rows) == 2
    assert shown.columns == ("prompt", "chosen", "rejected", "margin")  # nobody voted, nothing was scored
    told = chatlog_views.pairs(tables)
    assert told["share of each tenth of the groups"].columns[:2] == ("decile", "groups")
