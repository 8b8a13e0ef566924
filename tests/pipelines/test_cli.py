"""The command line on a built demo: what each command tells a person, checked against the tables on disk."""

import json
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from click.testing import Result
from rich.console import Console
from typer.testing import CliRunner

from assets.home import Build, Home
from assets.recipe import build_stages
from exports.check import verify
from exports.leaving import leaving_folder
from feedback.jury.compare import compare
from generators.engines import Budget
from generators.made import Made
from generators.progress import Progress
from generators.sample import sample
from generators.store import ReplyStore
from pipelines import catalog
from pipelines.cli import app
from pipelines.commands import build, ready
from pipelines.commands.places import newest
from pipelines.commands.terminal import TerminalWatcher
from pipelines.commands.why import History
from schemas import CRITERIA, JUDGMENTS, PROMPTS, RESPONSES
from tests.pipelines.conftest import Site


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home with the demo and the votes built."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WINNOW_HOME", str(tmp_path_factory.mktemp("home") / "[team's]"))
        patch.setenv("COLUMNS", "160")
        for name in ("demo", "votes"):
            place = build.run(name, None, Console(quiet=True))
            place.release()
        yield Home.find()


@pytest.fixture
def demo(home: Home) -> Build:
    """The demo's build."""
    return newest("demo", None)


def winnow(*arguments: str) -> str:
    """What a command prints; it must succeed."""
    result: Result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def table(place: Build, name: str) -> pl.DataFrame:
    return pl.read_parquet(place.file(name), glob=False)


def test_show_lists_the_builds(home: Home, demo: Build) -> None:
    told = winnow("show")
    assert demo.name in told
    assert "votes" in told
    assert told.count("complete") == 2


def test_show_answers_sql_over_the_tables(home: Home, demo: Build) -> None:
    told = winnow("show", "demo", "--sql", "select count(*) as pairs from kept")
    assert str(table(demo, "kept").height) in told


def test_show_tells_names_of_columns_that_look_like_markup_as_they_are(home: Home, demo: Build) -> None:
    told = winnow("show", "demo", "--sql", 'select 1 as "[/all]", 2 as "[b]"')
    assert told.split()[:2] == ["[/all]", "[b]"]


def test_a_path_that_looks_like_markup_is_told_as_it_is(home: Home, tmp_path: Path) -> None:
    assert home.root.name == "[team's]"
    told = winnow("build", "votes")
    place = newest("votes", None)
    place.release()
    assert f"card: {place.folder}/README.md" in told
    assert told.splitlines()[-1] == f"dataset: {place.folder}"
    assert f"in {home.root}/builds" in winnow("show")
    assert f"{home.store} holds " in winnow("store", "show")
    assert f'is in {tmp_path}/[copy]; load it with datasets.load_dataset("{tmp_path}/[copy]")' in winnow(
        "export", "votes", f"{tmp_path}/[copy]")
    assert f" replies are in {tmp_path}/[all].parquet" in winnow("store", "export", f"{tmp_path}/[all].parquet")


def test_why_tells_names_that_look_like_markup_as_they_are(tmp_path: Path) -> None:
    place = Build(tmp_path / "builds" / "demo" / "one")
    prompt = {"prompt_id": "p", "messages": [{"role": "user", "content": "Hi"}], "sources": ["[/source]"],
              "licences": ["unknown"], "group": "p"}
    answer = {"response_id": "r", "prompt_id": "p", "origin": "import", "role": "candidate", "model": "[/model]",
              "strategy": "import", "round": 0, "parents": [], "criteria": [], "critiques": [], "sample": 0,
              "text": "Hello", "text_digest": "d"}
    vote = {"judgment_id": "j", "prompt_id": "p", "subject": "response", "shown": ["r"], "judge": "[/judge]",
            "protocol": "import", "aspect": "[/aspect]", "outcome": "scored", "order": [], "scores": [1.0]}
    rule = {"criterion_id": "c", "kind": "rubric", "name": "[/rubric]", "scope": "judgments", "text": "Be brief."}
    rows = {"prompts": (PROMPTS, prompt), "responses": (RESPONSES, answer), "judgments": (JUDGMENTS, vote),
            "criteria": (CRITERIA, rule)}
    for name, (schema, row) in rows.items():
        place.write(name, schema, pl.DataFrame(pl.from_arrow(schema.rows([row]))))
    console = Console(file=StringIO(), width=300)
    unsaid = dict.fromkeys(("request_id", "rationale", "reason"))
    with ReplyStore.open(tmp_path / "store") as store:
        for name, (_, row) in rows.items():
            console.print(History(place, store).tell(name, {**unsaid, **row}))
    told = console.file.getvalue()
    assert [name for name in ("source", "model", "judge", "aspect", "rubric") if f"[/{name}]" not in told] == []


@pytest.mark.parametrize("drawn", [True, False])
def test_progress_tells_the_words_of_a_server_as_they_are(drawn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assets.watch._LOG_EVERY_S", 0.0)
    console = Console(file=StringIO(), width=300, force_terminal=drawn)
    asked = Progress(done=1, planned=2, from_store=0, failed=0, invalid=0, tokens_out=0, cost=None, per_s=1.0,
                     left_s=1.0, engines={}, trouble={"large": "it says [/INST] is no role"})
    with TerminalWatcher(console) as watcher:
        watcher.begin("demo/completions", console.print)
        watcher.update(asked)
    assert "waiting for engine 'large': it says [/INST] is no role" in console.file.getvalue()


def test_validate_tells_licences_that_look_like_markup_as_they_are(
        home: Home, demo: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = catalog.load("demo")
    made = dataset.prompts()
    marked = Made(made.table.with_columns(licences=pl.lit(["[by]", "[/sa]"])), made.counts)
    monkeypatch.setattr(catalog, "load", lambda _: replace(dataset, prompts=lambda: marked))
    assert "licences: [/sa], [by]\n" in winnow("validate", "demo")


def test_a_dataset_is_scanned_wherever_it_lies(tmp_path: Path) -> None:
    (tmp_path / "[copy]" / "prompts").mkdir(parents=True)
    pl.DataFrame({"prompt_id": ["p"], "text": ["Write to ann@example.org."]}).write_parquet(
        tmp_path / "[copy]" / "prompts" / "train.parquet")
    assert [alarm.row for alarm in leaving_folder(tmp_path / "[copy]")] == ["prompts/p"]


def test_show_prints_rows_of_a_table(home: Home, demo: Build) -> None:
    told = winnow("show", "demo", "judgments", "--limit", "1")
    assert table(demo, "judgments")["judgment_id"][0] in told


def test_why_walks_a_kept_pair_back_to_its_votes_and_replies(home: Home, demo: Build) -> None:
    row = table(demo, "kept").row(0, named=True)
    votes = [item["id"] for item in row["evidence"] if item["table"] == "judgments"]
    told = winnow("why", row["pair_id"])
    assert "kept" in told
    assert f"{len(votes)} vote(s)" in told
    answers = table(demo, "responses").filter(pl.col("response_id").is_in([row["chosen_id"], row["rejected_id"]]))
    for request_id in answers["request_id"]:
        assert f"raw reply {request_id}/0/" in told
    assert told.count("raw reply") == 2 + len(votes)
    assert "pruned" not in told


def test_why_tells_the_reason_of_a_dropped_pair(home: Home) -> None:
    dropped = table(newest("votes", None), "dropped").row(0, named=True)
    told = winnow("why", dropped["row_id"][:10], "--dataset", "votes")
    assert dropped["reason"] in told
    assert "imported; there is no reply" in told


@pytest.mark.parametrize(("name", "key"), [
    ("judgments", "judgment_id"), ("responses", "response_id"), ("prompts", "prompt_id"), ("criteria", "criterion_id"),
    ("judge_completions", "request_id"),
])
def test_why_finds_a_row_of_any_table(home: Home, demo: Build, name: str, key: str) -> None:
    assert name in winnow("why", table(demo, name)[key][0])


def test_estimate_counts_the_calls_that_the_build_made(home: Home, demo: Build) -> None:
    lines = [line.split() for line in winnow("estimate", "demo").splitlines()]
    told = {line[1]: (line[0], line[2], line[3]) for line in lines if line and line[0] in ("responses", "judgments")}
    for made, name in (("completions", "responses"), ("judge_completions", "judgments")):
        first = table(demo, made).filter(pl.col("attempt") == 0).group_by("engine").len()
        for engine, count in first.iter_rows():
            assert told[engine] == (name, f"{count:,}", f"{count:,}")
    assert len(told) == 6


def test_estimate_bounds_what_a_jury_costs_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINNOW_HOME", str(tmp_path))
    engine = '[engines.{0}]\nurl = "http://127.0.0.1:9/v1"\nmodel = "{0}"\nprice_in = 0\nprice_out = {1}\n' \
             'params = {{ max_tokens = 1000 }}\n'
    (tmp_path / "engines.toml").write_text("".join(engine.format(*one) for one in (("a", 0), ("b", 0), ("j", 10))))
    dataset = replace(catalog.load("demo"), name="costly", engines=tmp_path / "engines.toml",
                      responses=sample(pool=("a", "b")), judgments=compare(["j"]))
    monkeypatch.setattr(catalog, "load", lambda _: dataset)
    [judged] = [line.split() for line in winnow("estimate", "costly").splitlines() if "judgments" in line]
    # 200 prompts, one pair, both orders: 400 verdicts of at most 1,000 tokens at 10 USD a million
    assert judged == ["judgments", "j", "400", "0", "1,200", "4.00", "USD"]


def test_preview_asks_for_nothing_new_once_the_demo_is_built(home: Home, demo: Build) -> None:
    before = _replies(home)
    told = winnow("preview", "demo", "1")
    assert _replies(home) == before
    assert "what is" in told
    assert '"verdict"' in told
    assert "parsed: " in told


def test_preview_shows_words_that_a_whole_jury_is_asked_once_and_says_whose_answer_wins(home: Home) -> None:
    told = winnow("preview", "demo", "1")
    assert told.count("You are an impartial judge") == told.count("asked of first_lover, steady, word_lover")
    assert "parsed: win for A (scripted-" in told
    assert "score" in told


def test_why_names_the_models_behind_the_ids_of_a_vote(home: Home, demo: Build) -> None:
    vote = table(demo, "judgments").filter(pl.col("outcome") == "win").row(0, named=True)
    told = winnow("why", vote["judgment_id"])
    models = dict(table(demo, "responses").select("response_id", "model").iter_rows())
    assert f"win for {vote['order'][0][:8]} ({models[vote['order'][0]]})" in told
    assert all(f"{shown[:8]} ({models[shown]})" in told for shown in vote["shown"])


def test_a_narrow_terminal_cuts_no_name(home: Home, demo: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    builds, replies = winnow("show"), winnow("store", "show")
    assert "\u2026" not in builds + replies
    assert demo.name in builds
    assert "complete" in builds
    judged = winnow("show", "demo").split("Who judged")[1].split("What became of every row")[0]
    assert "\u2026" not in judged
    assert "steady" in judged


def test_the_end_of_a_build_counts_in_the_order_of_its_steps_and_leaves_out_what_nothing_had(demo: Build) -> None:
    stages = [stage.name for stage in build_stages(catalog.load("demo"))]
    rows = build._steps(demo.funnel(), stages)
    assert [row[0] for row in rows[:2]] == ["prompts", "completions"]
    assert rows[0] == ("prompts", "records", "200", "200", "")
    assert not [row for row in rows if " 0 " in f" {row[4]}"]


@pytest.mark.parametrize(("budget", "told"), [
    (None, "none"), (Budget(usd=5.0), "5.00 USD"), (Budget(tokens=20_000), "20,000 tokens"),
    (Budget(usd=0.5, tokens=9), "0.50 USD and 9 tokens"),
])
def test_a_budget_is_told_in_words(budget: Budget | None, told: str) -> None:
    assert ready.tell_budget(budget) == told


def test_validate_says_what_a_build_would_do(home: Home) -> None:
    told = winnow("validate", "demo", "--ping")
    assert "200 in 200 groups" in told
    assert "serves judge-steady" in told
    assert told.rstrip().endswith("valid")


def test_export_copies_a_folder_that_matches_its_manifest(home: Home, demo: Build, tmp_path: Path) -> None:
    winnow("export", "demo", str(tmp_path / "copy"))
    assert verify(tmp_path / "copy") == []
    names = [path.name for path in (tmp_path / "copy").iterdir()]
    assert {"README.md", "manifest.json", "preference"} <= set(names)


def test_store_shows_every_engine_and_exports_every_reply(home: Home, tmp_path: Path) -> None:
    told = winnow("store", "show")
    assert "scripted_large" in told
    assert "word_lover" in told
    winnow("store", "export", str(tmp_path / "replies.jsonl"))
    rows = (tmp_path / "replies.jsonl").read_text().splitlines()
    assert len(rows) == _replies(home)
    assert {"request", "body", "request_id"} <= json.loads(rows[0]).keys()


def test_prune_keeps_the_newest_builds_and_says_so_first(home: Home) -> None:
    place = build.run("votes", "second", Console(quiet=True))
    place.release()
    assert "would remove votes/" in winnow("prune", "votes", "--keep", "1")
    assert len(home.builds("votes")) == 2
    winnow("prune", "votes", "--keep", "1", "--yes")
    assert [kept.name for kept in home.builds("votes")] == ["second"]


def test_init_writes_a_recipe_that_validates_and_overwrites_nothing(site: Site) -> None:
    (site.root / "asked.jsonl").write_text('{"prompt": "Why is the sky blue?"}\n')
    made = site.winnow("init", "sky", "--prompts", "asked.jsonl")
    assert made.returncode == 0, made.stderr
    recipe = (site.root / "pipelines" / "sky.py").read_text()
    valid = site.winnow("validate", "sky", EXAMPLE_API_KEY="a-key")
    assert valid.returncode == 0, valid.stderr
    assert "1 in 1 groups" in valid.stdout
    missing = site.winnow("validate", "sky")
    assert missing.returncode == 1
    assert "EXAMPLE_API_KEY" in missing.stderr
    again = site.winnow("init", "sky")
    assert again.returncode == 1
    assert (site.root / "pipelines" / "sky.py").read_text() == recipe


def _replies(home: Home) -> int:
    from generators.store import ReplyStore

    with ReplyStore.open(home.store) as store:
        return sum(stored.record["kind"] == "reply" for stored in store.records())
