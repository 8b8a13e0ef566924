"""What is paid for: a new model for itself only, a new prompt for itself only, another reading of replies nothing."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from assets.dataset import PreferenceDataset
from assets.recipe import build_stages, check_engines
from assets.stage import Means
from feedback.jury.aggregate import majority, mean
from feedback.jury.compare import Compare, compare
from generators.read import read
from generators.sample import sample
from generators.scripted import DEMO, Faults, ScriptedServer
from generators.store import ReplyStore
from preferences.pair import pair

SUMS = Path(__file__).resolve().parents[2] / "examples" / "sums.jsonl"
TABLES = ("prompts", "criteria", "completions", "responses", "judge_completions", "judgments", "rankings",
          "preferences", "kept")


def recipe(folder: Path, url: str, models: Sequence[str] = ("small", "large"), prompts: int = 8) -> PreferenceDataset:
    """A recipe over the first prompts."""
    names = {"small": "scripted-small", "medium": "scripted-medium", "large": "scripted-large", "judge": "judge-steady"}
    tables = [f'[engines.{name}]\nurl = "{url}"\nmodel = "{model}"\n' for name, model in names.items()]
    (folder / "engines.toml").write_text("\n".join(tables))
    return PreferenceDataset(
        name="paid", engines=folder / "engines.toml", prompts=read(str(SUMS), limit=prompts),
        responses=sample(pool=models, temperature=1.0), judgments=compare(("judge",), order="both-average"),
        rankings=majority(), preferences=pair("all"),
    )


def build(dataset: PreferenceDataset, folder: Path) -> dict[str, pl.DataFrame]:
    """The tables of a build, made as the assets make them, without Dagster."""
    tables: dict[str, pl.DataFrame] = {}
    with ReplyStore.open(folder / "store") as store:
        means = Means(engines=check_engines(dataset), store=store, runs=folder / "runs")
        for stage in build_stages(dataset):
            if stage.make is not None:
                tables |= stage.make(means, tables).tables
    assert set(TABLES) <= set(tables)
    return tables


def asked(server: ScriptedServer, since: int = 0) -> list[tuple[str, int | None]]:
    """Model and question number of each request that came after the first `since`."""
    return [(line.model, line.question) for line in server.ledger()[since:]]


def test_a_second_build_asks_for_nothing_and_gives_the_same_tables(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        dataset = recipe(tmp_path, server.url)
        first = build(dataset, tmp_path)
        before = server.counts()["received"]
        second = build(dataset, tmp_path)
        assert before == 8 * 2 + 8 * 2
        assert server.counts()["received"] == before
    assert all(first[name].equals(second[name]) for name in TABLES)


def test_a_new_model_pays_for_its_own_answers_and_for_the_comparisons_it_is_in(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        build(recipe(tmp_path, server.url), tmp_path)
        before = server.counts()["received"]
        build(recipe(tmp_path, server.url, models=("small", "medium", "large")), tmp_path)
        new = asked(server, before)
    assert [model for model, _ in new].count("scripted-medium") == 8
    assert [model for model, _ in new].count("judge-steady") == 8 * 2 * 2
    assert len(new) == 8 + 8 * 2 * 2


def test_a_new_prompt_pays_for_itself_only(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        build(recipe(tmp_path, server.url, prompts=8), tmp_path)
        before = asked(server)
        build(recipe(tmp_path, server.url, prompts=9), tmp_path)
        new = asked(server, len(before))
    assert len(new) == 2 + 2
    assert len({question for _, question in new}) == 1
    assert {question for _, question in new}.isdisjoint({question for _, question in before})


def test_another_aggregation_or_pair_policy_asks_for_nothing(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        dataset = recipe(tmp_path, server.url)
        build(dataset, tmp_path)
        before = server.counts()["received"]
        other = replace(dataset, rankings=mean(), preferences=pair("best-worst"))
        build(other, tmp_path)
        assert server.counts()["received"] == before


def test_a_parser_that_reads_more_relabels_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = replace(DEMO, faults=Faults(never_parse=0.25))
    with ScriptedServer(script) as server:
        dataset = recipe(tmp_path, server.url, prompts=24)
        strict = build(dataset, tmp_path)["judge_completions"]
        before = server.counts()["received"]
        monkeypatch.setattr(Compare, "parse", lambda self, text: None)
        lenient = build(dataset, tmp_path)["judge_completions"]
        assert server.counts()["received"] == before
    assert "invalid" in strict["status"].to_list()
    assert set(lenient["status"]) == {"ok"}
    assert lenient.height < strict.height


def test_a_changed_store_location_or_port_is_not_a_changed_request(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        build(recipe(tmp_path, server.url), tmp_path)
    with ScriptedServer() as other:
        build(recipe(tmp_path, other.url), tmp_path)
        assert other.counts()["received"] == 0
