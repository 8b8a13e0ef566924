"""What a stage is given of large logs: less than the whole, and what it makes and shows of it is the same."""

import dataclasses
from pathlib import Path

import polars as pl

from assets.asked import tables_of
from assets.dataset import PreferenceDataset
from assets.home import Build
from assets.recipe import build_stages
from assets.stage import Means, Stage, Tables
from feedback.chatlogs.answers import logged
from feedback.chatlogs.cues import cues
from feedback.chatlogs.logs import chat_logs
from generators.store import ReplyStore
from preferences.by_events import pair_by_events
from preferences.unpaired_by_events import unpaired_by_events

EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "chat"
RULES = ("vote", "rank", "thumb", "edit", "regenerate", "repair", "rephrase")


def made(stage: Stage, build: Build, folder: Path, narrowed: bool) -> tuple[Tables, dict[str, object]]:
    """The tables of a stage and all it shows and checks, given what it needs or whole tables."""
    means = Means(engines={}, store=ReplyStore.__new__(ReplyStore), runs=folder / "runs", build=build.name, home=folder)
    used = stage if narrowed else dataclasses.replace(stage, narrow={})
    assert stage.make is not None
    output = stage.make(means, tables_of(build, used))
    for name, table in stage.writes.items():
        build.write(name, table, output.pieces[name] if name in output.pieces else output.tables[name])
    everything = tables_of(build, used, output.tables)
    shown = {name: str(show(everything)) for name, show in stage.show.items()}
    return everything, {**shown, "checks": [] if stage.check is None else list(stage.check(everything)),
                        "counts": output.counts}


def test_stages_make_show_and_check_the_same_of_what_they_need_as_of_whole_tables(tmp_path: Path) -> None:
    recipe = PreferenceDataset(name="logs", messages=chat_logs(EXAMPLES), feedback_events=cues(), prompts=logged(),
                               responses=logged(), preferences=pair_by_events(*RULES),
                               unpaired=unpaired_by_events("thumb", "vote", "follow_up"))
    bytes_of: list[dict[str, bytes]] = []
    told = []
    for narrowed in (True, False):
        build = Build(tmp_path / str(narrowed) / "all")
        stages = [stage for stage in build_stages(recipe) if stage.make is not None and stage.name != "kept"]
        told.append([made(stage, build, tmp_path, narrowed)[1] for stage in stages])
        bytes_of.append({name: build.file(name).read_bytes() for stage in stages for name in stage.writes})
    assert sum(bool(stage.narrow) for stage in stages) >= 7
    assert bytes_of[0] == bytes_of[1]
    assert told[0] == told[1]
    assert build.read("preferences").height > 3


def test_a_table_is_read_when_it_is_asked_for_and_only_as_far_as_needed(tmp_path: Path) -> None:
    recipe = PreferenceDataset(name="logs", messages=chat_logs(EXAMPLES), feedback_events=cues(), prompts=logged(),
                               responses=logged(), preferences=pair_by_events())
    build = Build(tmp_path / "logs" / "all")
    stages = {stage.name: stage for stage in build_stages(recipe)}
    made(stages["messages"], build, tmp_path, True)
    tables = tables_of(build, stages["turn_cues"])
    texts = tables["messages"].filter(pl.col("text") != "")
    assert set(texts["role"]) == {"user"}
    assert "turn_cues" in tables_of(build, stages["feedback_events"]), "what is not there yet is not read"
