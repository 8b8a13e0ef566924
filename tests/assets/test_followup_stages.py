"""Follow-up likelihood in a recipe: a scripted reader measures answers, pairs follow it, and length is told."""

import json
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from assets.dataset import PreferenceDataset
from assets.home import Home
from assets.recipe import build_stages, used_engines
from assets.stage import Means
from audits.report import report
from feedback.chatlogs.followups import follow_ups
from feedback.jury.aggregate import mean
from feedback.jury.compare import compare
from feedback.jury.rate import rate
from generators.engines import Engine
from generators.plant import Model, perceived, quality, question
from generators.read import read
from generators.sample import sample
from generators.scripted import Script, ScriptedServer
from generators.store import ReplyStore
from pipelines.commands import why
from preferences.pair import pair
from schemas.errors import ConfigError
from schemas.funnel import check_balance
from tests.assets.test_chatlog_stages import MONDAY, at, chat, write
from tests.assets.test_chatlog_stages import dataset as logs

QUESTIONS = [question(number) for number in range(12)]
READER = Model(name="reader", noise=0.0, length_bias=0.5)
JUDGE = follow_ups("reader")


def recipe(folder: Path, **more: Any) -> PreferenceDataset:
    """Two models answer planted questions, and a third reads."""
    (folder / "prompts.jsonl").write_text("".join(json.dumps({"prompt": text}) + "\n" for text in QUESTIONS))
    parts = {"name": "flr", "prompts": read(folder / "prompts.jsonl"),
             "responses": sample(pool=("weak", "strong"), n=2), "judgments": JUDGE, "rankings": mean(),
             "preferences": pair("all")}
    return PreferenceDataset(**{**parts, **more})


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, pl.DataFrame], dict[str, Any], int]:
    """The tables of the recipe, what the UI shows of its votes, and how often the reader was asked."""
    folder = tmp_path_factory.mktemp("flr")
    dataset = recipe(folder)
    assert used_engines(dataset) == {"weak", "strong", "reader"}
    models = (Model(name="weak", skill=0.2, verbosity=0.5), Model(name="strong", skill=0.8, verbosity=0.5, voice=1),
              READER)
    tables: dict[str, pl.DataFrame] = {}
    seen: dict[str, Mapping[str, Any]] = {}
    home = Home(folder / "home")
    with ScriptedServer(Script(models=models)) as server, ReplyStore.open(home.store) as store:
        staff = {model.name: Engine(name=model.name, url=server.url, model=model.name) for model in models}
        means = Means(engines=staff, store=store, runs=folder / "runs", home=home.root)
        for stage in build_stages(dataset):
            if stage.make is not None:
                output = stage.make(means, {name: tables[name] for name in stage.needs})
                check_balance(output.counts)
                tables |= output.tables
                for name, table in stage.writes.items():
                    assert not table.check(table.conform(tables[name].to_arrow()))[0]
                    home.build("flr", "t").write(name, table, tables[name])
                    seen |= {name: stage.show[name](tables)} if name in stage.show else {}
                assert all(one.passed for one in (stage.check(tables) if stage.check else []))
        asked = sum(served.model == "reader" for served in server.ledger())
    return tables, {"home": home.root, **seen["judgments"]}, asked


def test_answers_of_logs_are_measured_like_any_others(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    write(tmp_path / "logs" / "chats.json", chat(
        "one", "ann", ("u1", "Which number?", None, at(MONDAY, 0), {}), ("a1", "It is 30.", "u1", at(MONDAY, 1), {}),
        ("a2", "It is 42.", "u1", at(MONDAY, 2), {}), ("u2", "And now?", "a2", at(MONDAY, 3), {})))
    dataset = logs(tmp_path, judgments=JUDGE, rankings=mean(), preferences=pair("all"), unpaired=None)
    tables: dict[str, pl.DataFrame] = {}
    with ScriptedServer(Script(models=(READER,))) as server, ReplyStore.open(tmp_path / "store") as store:
        staff = {"reader": Engine(name="reader", url=server.url, model="reader")}
        means = Means(engines=staff, store=store, runs=tmp_path / "runs", home=tmp_path / "home")
        for stage in build_stages(dataset):
            if stage.make is not None:
                tables |= stage.make(means, {name: tables[name] for name in stage.needs}).tables
    [row] = tables["kept"].to_dicts()  # the plant's answer to whatever is no question of its own is 42
    assert (row["chosen"][0]["content"], row["rejected"][0]["content"]) == ("It is 42.", "It is 30.")


def worth(tables: Mapping[str, pl.DataFrame]) -> dict[str, float]:
    """What the reader thinks of each answer, by the plant."""
    asked = {row["prompt_id"]: row["messages"][-1]["content"] for row in tables["prompts"].to_dicts()}
    return {row["response_id"]: perceived(0, READER, asked[row["prompt_id"]], "follow_up", [row["text"]], 0)[0]
            for row in tables["responses"].to_dicts()}


Built = tuple[dict[str, pl.DataFrame], dict[str, Any], int]


def test_an_answers_score_is_its_place_among_all_answers_in_deviations(built: Built) -> None:
    points = worth(built[0])
    values = pl.Series(points.values())
    middle, spread = values.mean(), values.std(ddof=0)
    assert isinstance(middle, float)
    assert isinstance(spread, float)
    # A kind follow-up's z-score is that of the points, an unkind one's the same turned round.
    assert {row["shown"][0]: row["scores"][0] for row in built[0]["judgments"].to_dicts()} == pytest.approx(
        {name: 2 * (one - middle) / spread for name, one in points.items()})


def test_pairs_follow_what_the_reader_thinks_and_their_margin_is_in_z_scores(built: Built) -> None:
    tables, points = built[0], worth(built[0])
    assert tables["kept"].height > 10
    assert all(points[row["chosen_id"]] > points[row["rejected_id"]] for row in tables["kept"].to_dicts())
    votes = {row["shown"][0]: row for row in tables["judgments"].to_dicts()}
    row = tables["kept"].to_dicts()[0]
    both = [votes[row[side]] for side in ("chosen_id", "rejected_id")]
    assert row["margin"] == pytest.approx(both[0]["scores"][0] - both[1]["scores"][0])
    assert {vote["judgment_id"] for vote in both} == {
        item["id"] for item in row["evidence"] if item["table"] == "judgments"}
    assert both[0]["rationale"] is not None


def test_the_reader_is_asked_once_for_each_answer_and_follow_up(built: Built) -> None:
    texts = built[0]["responses"].select("prompt_id", "text").n_unique()
    assert built[2] == JUDGE.calls(texts)[0] == 20 * texts


def test_the_correlation_with_length_is_told_by_the_view_and_the_audit(built: Built) -> None:
    tables, shown, _ = built
    points, answers = worth(tables), tables["responses"]
    told = answers.select(words=pl.col("text").str.split(" ").list.len(), points=pl.col("response_id").replace_strict(
        points)).select(pl.corr("words", "points", method="spearman")).item()
    assert shown["reader: rank correlation of flr_z with length"] == pytest.approx(told)
    rows = [row for row in report(tables, draws=20).facts["length"] if row["judge"] == "reader"]
    assert {row["aspect"] for row in rows} == {"flr_z"}


def test_a_vote_is_walked_back_to_each_follow_up_and_the_reply_that_tells_how_likely_it_is(
        built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    tables, shown, _ = built
    monkeypatch.setenv("WINNOW_HOME", str(shown["home"]))
    vote = tables["judgments"].row(0, named=True)
    out = StringIO()
    why.run(vote["judgment_id"], None, None, Console(file=out, width=400))
    told = [line for line in out.getvalue().splitlines() if "a token after it for" in line]
    points = (worth(tables)[vote["shown"][0]] - 5) / 5  # the plant's nats over a word's three
    for follow_ups_, sign in ((JUDGE.positive, 1), (JUDGE.negative, -1)):
        for one in follow_ups_:
            assert len([line for line in told if f": {-3 + sign * points:.4f} a token" in line and one in line]) == 1
    assert len(told) == 20
    assert "imported" not in out.getvalue()


def test_the_bank_is_a_criterion_that_votes_name(built: Built) -> None:
    criteria = {row["criterion_id"]: row["text"] for row in built[0]["criteria"].to_dicts()}
    assert {criteria[rubric] for rubric in built[0]["judgments"]["rubric"]} == {
        "\n".join(["[positive]", *JUDGE.positive, "[negative]", *JUDGE.negative])}


def test_the_truth_is_found_where_the_reader_is_right(built: Built) -> None:
    tables = built[0]
    asked = {row["prompt_id"]: row["messages"][-1]["content"] for row in tables["prompts"].to_dicts()}
    good = [quality(asked[row["prompt_id"]], row["chosen"][0]["content"]) - quality(
        asked[row["prompt_id"]], row["rejected"][0]["content"]) for row in tables["kept"].to_dicts()]
    assert sum(gap > 0 for gap in good) > sum(gap < 0 for gap in good)


@pytest.mark.parametrize("other", [compare(("judge",)), rate(("judge",))])
def test_z_scores_are_averaged_with_no_other_kind_of_vote(tmp_path: Path, other: Any) -> None:
    with pytest.raises(ConfigError, match="have no common mean"):
        recipe(tmp_path, judgments=(JUDGE, other))
    assert recipe(tmp_path, judgments=(JUDGE, other), rankings=mean(aspects=("flr_z",))).juries[0] is JUDGE


def test_two_readers_with_one_bank_are_two_judges_and_one_reader_twice_is_refused(tmp_path: Path) -> None:
    assert len(recipe(tmp_path, judgments=(JUDGE, follow_ups("strong"))).juries) == 2
    with pytest.raises(ConfigError, match="would be two votes"):
        recipe(tmp_path, judgments=(JUDGE, follow_ups("reader")))
