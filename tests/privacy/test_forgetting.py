"""Forgetting by id: what goes from a build's tables, its quarantine, the reply store and the store's remote."""

import json
import zipfile
from pathlib import Path

import polars as pl
import pytest
from dagster._core.test_utils import create_run_for_test
from rich.console import Console

from assets.forgetting import gone
from assets.home import Build, Home
from assets.runs import open_instance
from feedback.chatlogs.gather import gather
from feedback.chatlogs.induce import REQUESTS
from generators.store import ReplyStore
from pipelines.commands import forget
from privacy.forgotten import forgotten
from privacy.people import Salt
from schemas import CHAT_MESSAGES, CRITERIA, RESPONSES
from tests.privacy.planted_logs import everything


def line(user: str, session: str, word: str) -> str:
    """One chat of one user."""
    return json.dumps({"request": {"model": "m", "user": user, "metadata": {"session_id": session}, "messages": [
        {"role": "user", "content": f"What is a {word}?"}]}, "response": {"id": f"r-{session}", "created": 1772445700,
        "model": "m", "choices": [{"index": 0, "finish_reason": "stop",
                                   "message": {"role": "assistant", "content": f"A {word} is a fruit."}}]}}) + "\n"


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """A build with the messages of two users, one row of each in quarantine."""
    monkeypatch.setenv("WINNOW_HOME", str(tmp_path / "home"))
    log = tmp_path / "log.jsonl"
    log.write_text(line("ann", "s1", "medlar") + line("ann", "s2", "medlar pie") + line("bob", "s3", "quince"))
    home = Home.find()
    read = gather([str(log)], Salt.find(home.root))
    made = home.build("mined", "one")
    made.write("messages", CHAT_MESSAGES, read.messages)
    CHAT_MESSAGES.write(read.messages.to_arrow(), made.path / "quarantine" / "messages.parquet")
    return made


def stored(home: Path, words: tuple[str, ...], build: Build, remote: str) -> None:
    """Requests that were made of the messages with these words."""
    messages = build.read("messages")
    with ReplyStore.open(home / "store", remote) as store:
        for word in words:
            said = messages.filter(pl.col("text") == f"What is a {word}?")
            store.put_request(f"request of {word}", {"messages": [{"role": "user", "content": f"Judge: {word}"}]},
                              said["msg_id"][0])


def run(user: str | None, hashed: str | None, remote: str, yes: bool = True) -> None:
    """The command."""
    forget.run(user, hashed, remote, yes, Console(quiet=True))


def test_all_that_is_of_a_user_goes_and_the_rest_stays(tmp_path: Path, build: Build) -> None:
    home, remote = tmp_path / "home", str(tmp_path / "remote")
    stored(home, ("medlar", "medlar pie", "quince"), build, remote)
    before = everything(home) + everything(tmp_path / "remote")
    assert before.count("Judge: medlar") >= 4
    run("ann", None, remote, yes=False)
    assert everything(home) + everything(tmp_path / "remote") == before
    run("ann", None, remote)
    after = everything(home) + everything(tmp_path / "remote")
    assert "medlar" not in after
    assert after.count("Judge: quince") >= 2
    assert build.read("messages").height == 2
    assert pl.read_parquet(build.path / "quarantine" / "messages.parquet").height == 2
    assert forgotten(home) == {Salt.find(home).name("user", "ann")}


def test_one_conversation_can_be_forgotten_by_its_id(tmp_path: Path, build: Build) -> None:
    pie = build.read("messages").filter(pl.col("text").str.contains("pie"))["conv_id"][0]
    run(None, pie, str(tmp_path / "remote"))
    left = build.read("messages")["text"].to_list()
    assert sorted(left) == ["A medlar is a fruit.", "A quince is a fruit.", "What is a medlar?", "What is a quince?"]


def test_a_table_that_is_written_anew_is_still_ours(tmp_path: Path, build: Build) -> None:
    run("ann", None, str(tmp_path / "remote"))
    assert CHAT_MESSAGES.read(build.file("messages")).schema.equals(CHAT_MESSAGES.schema)


def test_nobody_is_of_no_build_and_is_remembered_all_the_same(tmp_path: Path, build: Build) -> None:
    assert gone(build, {"a" * 24}).rows == {}
    run(None, "a" * 24, str(tmp_path / "remote"))
    assert build.read("messages").height == 6
    assert forgotten(tmp_path / "home") == {"a" * 24}


def test_read_again_the_logs_are_without_them(tmp_path: Path, build: Build) -> None:
    home = tmp_path / "home"
    run("ann", None, str(tmp_path / "remote"))
    again = gather([str(tmp_path / "log.jsonl")], Salt.find(home), forgotten=forgotten(home))
    assert again.messages.equals(build.read("messages"))
    lost = {(row.unit, row.reason): row.count for row in again.counts if row.fate == "dropped" and row.count}
    assert lost["messages", "forgotten"] == 4
    assert lost["conversations", "forgotten"] == 2


def test_rubrics_that_quote_many_users_go_with_one_of_them_and_their_scores_of_others_too(
        tmp_path: Path, build: Build) -> None:
    home, remote = tmp_path / "home", str(tmp_path / "remote")
    said = build.read("messages").filter(pl.col("text").str.starts_with("What"))
    events = {row["text"]: row["msg_id"] for row in said.to_dicts()}  # a message stands for the event that quotes it
    bob = said.filter(pl.col("text").str.contains("quince"))["conv_id"][0]
    rubric = "Calls the medlar wrong."
    CRITERIA.write(CRITERIA.rows([
        {"criterion_id": "of all", "kind": "rubric", "name": "negative: wrong", "scope": "turns", "text": rubric,
         "evidence": " ".join(events.values())},
        {"criterion_id": "of bob", "kind": "rubric", "name": "negative: late", "scope": "turns", "text": "Is late.",
         "evidence": events["What is a quince?"]}]), build.file("criteria"))
    with ReplyStore.open(home / "store", remote) as store:
        for name, asked, prompt in (("summed up", "Sum up: medlar, quince", REQUESTS["negative"]),
                                    ("scored", f"By this rubric: {rubric} Score: quince", bob),
                                    ("kept", "By this rubric: Is late. Score: quince", bob)):
            store.put_request(name, {"messages": [{"role": "user", "content": asked}]}, prompt)
    run("ann", None, remote)
    assert build.read("criteria")["criterion_id"].to_list() == ["of bob"]
    after = everything(home) + everything(tmp_path / "remote")
    assert "Sum up" not in after
    assert rubric not in after
    assert "Is late. Score: quince" in after


def test_a_forgotten_conversations_wish_goes_from_requests_for_the_same_persons_others(
        tmp_path: Path, build: Build) -> None:
    home, remote = tmp_path / "home", str(tmp_path / "remote")
    said = build.read("messages").filter(pl.col("role") == "assistant")
    talks = {("pie" if "pie" in row["text"] else row["text"].split()[1]): row for row in said.to_dicts()}
    CRITERIA.write(CRITERIA.rows([
        {"criterion_id": f"wish of {word}", "kind": "summary", "name": talks[word]["msg_id"], "scope": "responses",
         "text": text, "evidence": "an event"}
        for word, text in (("pie", "- Name the oven.\n- Be short."), ("medlar", "- Be short.\n- Use Latin."))]),
        build.file("criteria"))
    common = {"origin": "engine", "role": "candidate", "round": 0, "parents": [], "critiques": [], "sample": 0,
              "text": "Bletted.", "text_digest": "d", "model": "m", "strategy": "answer again", "prompt_id": "asked"}
    RESPONSES.write(RESPONSES.rows([
        {**common, "response_id": "steered", "criteria": ["wish of medlar", "wish of pie"], "request_id": "both"},
        {**common, "response_id": "own", "criteria": ["wish of medlar"], "request_id": "one"}]),
        build.file("responses"))
    with ReplyStore.open(home / "store", remote) as store:
        for name, asked in (("both", "Wanted:\n- Be short.\n- Use Latin.\n- Name the oven."),
                            ("one", "Wanted:\n- Be short.\n- Use Latin.")):
            store.put_request(name, {"messages": [{"role": "system", "content": asked}]}, talks["medlar"]["msg_id"])
    found = gone(build, {talks["pie"]["conv_id"]})
    assert "both" in found.ids
    assert "one" not in found.ids
    run(None, talks["pie"]["conv_id"], remote)
    assert build.read("criteria")["criterion_id"].to_list() == ["wish of medlar"]
    assert build.read("responses")["response_id"].to_list() == ["own"]
    after = everything(home) + everything(tmp_path / "remote")
    assert "Name the oven" not in after
    assert "Use Latin" in after


def test_the_dry_listing_says_that_runs_go_whole(tmp_path: Path, build: Build) -> None:
    with open_instance(tmp_path / "home" / "dagster") as instance:
        create_run_for_test(instance, job_name="mined", tags={"dagster/partition": "one"})
    console = Console(record=True, width=200)
    forget.run("ann", None, str(tmp_path / "remote"), False, console)
    told = console.export_text()
    assert "1 run(s) of Dagster that made these builds go whole" in told
    assert "Runs of other builds stay" in told
    assert "nothing was changed" in told


def exported(folder: Path, account: str | None, *words: str) -> Path:
    """An export of ChatGPT, as its zip; with the account that it names, if any."""
    talks = [{"id": f"conversation {word}", "current_node": "a", "mapping": {
        "q": {"parent": None, "message": {"author": {"role": "user"}, "content": {"parts": [f"What is a {word}?"]}}},
        "a": {"parent": "q", "message": {"author": {"role": "assistant"}, "content": {"parts": [f"A {word}."]}}}}}
             for word in words]
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / "export.zip", "w") as file:
        file.writestr("conversations.json", json.dumps(talks))
        if account:
            named = {"id": account, "email": "a@example.com", "chatgpt_plus_user": True}
            file.writestr("user.json", json.dumps(named))
    return folder / "export.zip"


def gathered(path: Path, left_out: frozenset[str] = frozenset()) -> pl.DataFrame:
    """The messages of an export under the salt of WINNOW_HOME."""
    return gather([str(path)], Salt.find(Home.find().root), forgotten=left_out).messages


def test_an_export_is_of_the_account_it_names_whatever_it_is_called_and_wherever_it_lies(
        tmp_path: Path, build: Build) -> None:
    first, second = exported(tmp_path / "a", "user-ann", "medlar"), exported(tmp_path / "b", "user-ann", "quince")
    mine = {*gathered(first)["user_hash"], *gathered(second)["user_hash"]}
    assert mine == {Salt.find(Home.find().root).name("user", "user-ann")}
    with zipfile.ZipFile(first) as file:
        file.extractall(tmp_path / "unpacked")
    assert {*gathered(tmp_path / "unpacked" / "conversations.json")["user_hash"]} == mine


def test_an_export_that_names_no_account_is_one_person_and_stays_forgotten_where_it_moves(
        tmp_path: Path, build: Build) -> None:
    here = exported(tmp_path / "a", None, "medlar", "quince")
    other = exported(tmp_path / "b", None, "sloe")
    messages = gathered(here)
    assert messages["user_hash"].n_unique() == 1
    assert messages["user_hash"].null_count() == 0
    assert messages["conv_id"].n_unique() == 2
    assert not {*messages["user_hash"]} & {*gathered(other)["user_hash"]}
    build.write("messages", CHAT_MESSAGES, pl.concat([messages, gathered(other)]))
    run(str(here), None, str(tmp_path / "remote"))  # said as `place` says it
    assert {*build.read("messages")["text"]} == {"What is a sloe?", "A sloe."}
    moved = here.rename(tmp_path / "moved.zip")
    assert gathered(moved).height == 4
    assert gathered(moved, forgotten(Home.find().root)).is_empty()
