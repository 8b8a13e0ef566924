"""Stages that tell and hand over: the audit of the build, and the dataset folder that trainers load."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from assets import again, cascade, views
from assets.card import card_facts
from assets.dataset import PreferenceDataset
from assets.home import Build
from assets.repaired import with_repairs
from assets.show import pictures
from assets.stage import Check, CheckSpec, Stage, Tables
from audits.accuracy import truth_of
from audits.chatlogs import deciles, edit_costs, trail
from audits.report import INPUTS, Report, report
from audits.testcases import truth_of_tests
from exports.check import verify
from exports.facts import Facts
from exports.folder import write_dataset
from exports.leaving import LeakError, refuse, write_found
from exports.manifest import MANIFEST
from feedback.testcases.given import Given
from feedback.testcases.references import References
from privacy.scan import Alarm, in_words

REPORT = "report.json"
REPLIES = ("completions", "test_completions", "judge_completions", "step_completions", "repair_completions",
           "hint_completions", cascade.FOUND, cascade.CHECKED, *again.READ.values(), again.ASKED)
AUDIT_CHECKS = (
    CheckSpec(name="judges_agree_beyond_chance", meaning="the interval of Krippendorff's alpha lies above 0",
              blocking=False),
    CheckSpec(name="no_judge_prefers_a_position", meaning="no judge's first answer wins under 35 % or over 65 %",
              blocking=False),
    CheckSpec(name="chosen_is_not_just_longer", meaning="chosen is the longer answer in 30 to 70 % of the pairs",
              blocking=False),
    CheckSpec(name="labels_beat_chance", meaning="where the truth is known, over half of the labels are right",
              blocking=False),
)
TESTED_CHECKS = (
    CheckSpec(name="few_pairs_are_inverted", meaning="where the truth is known, in at most 5 % of the pairs only the "
              "rejected answer is right", blocking=False),
    CheckSpec(name="chosen_is_right_as_a_rule", meaning="where the truth is known, both answers fail in at most half "
              "of the pairs", blocking=False),
)
FOLDER_CHECKS = (
    CheckSpec(name="folder_matches_its_manifest", meaning="every file has its manifest's rows, bytes and plain types",
              blocking=True),
)
SCAN = "second_scan.json"
"""What the second scan found, beside the report."""
PRIVATE = "nothing_private_leaves"
"""The check that stands for it, where people's logs were mined; prompts written for a dataset may hold examples."""
_SCANNED = "the second scan finds no personal data and no secret in any text of the folder"
SCAN_CHECKS = {True: CheckSpec(name=PRIVATE, meaning=f"{_SCANNED}, or it is not written", blocking=True),
               False: CheckSpec(name="nothing_looks_private", meaning=_SCANNED, blocking=False)}
"""By whether the dataset comes from logs."""


def audit(dataset: PreferenceDataset, made: tuple[str, ...]) -> Stage:
    """The stage that measures the jury, the labels and the build."""
    tested = dataset.outcomes is not None

    def write_folder(build: Build, tables: Tables) -> Mapping[str, Any]:
        told = report(_audited(build, tables), _truth(dataset, tables))
        folder = build.path / "audit"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / REPORT).write_text(json.dumps(told.facts, indent=1))
        figures = told.figures()
        for name, png in figures.items():
            (folder / f"{name}.png").write_bytes(png)
        found = [*_checks(told), *(_tested_checks(told) if tested else [])]
        return {"plots": pictures(figures), **_numbers(told.facts["headline"]), **views.audit(told.tables),
                "checks": found, "data_version": _digest(folder / REPORT)}

    return Stage(name="audit", meaning="what the build says about itself: agreement, bias, funnel, accuracy, cost",
                 writes={}, needs=made, write_folder=write_folder,
                 checks=(*AUDIT_CHECKS, *(TESTED_CHECKS if tested else ())), counts_rows=False)


def dataset_folder(dataset: PreferenceDataset, made: tuple[str, ...], digests: Mapping[str, str]) -> Stage:
    """The stage that writes the Parquet shards, the card and the manifest."""
    from_logs = dataset.messages is not None
    specs = (*FOLDER_CHECKS, SCAN_CHECKS[from_logs])

    def write_folder(build: Build, tables: Tables) -> Mapping[str, Any]:
        facts = json.loads((build.path / "audit" / REPORT).read_text())
        found: list[Alarm] = []

        def scanned(alarms: list[Alarm]) -> None:
            found.extend(alarms)
            write_found(alarms, build.path / "audit" / SCAN)
            if from_logs:
                refuse(alarms)

        try:
            manifest = write_dataset(
                build.folder, name=dataset.slug, kept=tables["kept"], prompts=tables["prompts"], recipe=dataset.source,
                unpaired=tables.get("unpaired"), lists=tables.get("lists"), judgments=tables.get("judgments"),
                dropped=all_dropped(tables), build=build.name,
                facts=_of_logs(tables, card_facts(dataset, facts), facts["arms"]),
                digests=digests, scanned=scanned,
            )
        except LeakError as leak:
            checks = [Check(name=specs[0].name, passed=True, note="not written"),
                      Check(name=specs[1].name, passed=False, note=str(leak))]
            return {"checks": checks, "data_version": _digest(build.path / "audit" / SCAN)}
        problems = verify(build.folder)
        checks = [Check(name=specs[0].name, passed=not problems, note="; ".join(problems) or "no problem found"),
                  Check(name=specs[1].name, passed=not found, note=in_words(found) or "nothing found")]
        rows = {f"rows of {name}": config["rows"] for name, config in manifest["configs"].items()}
        return {**rows, "folder": build.folder, "card": (build.folder / "README.md").read_text()[:20_000],
                "checks": checks, "data_version": _digest(build.folder / MANIFEST)}

    return Stage(name="dataset", meaning="the dataset folder: Parquet shards, card and manifest", writes={}, needs=made,
                 after=("audit",), write_folder=write_folder, checks=specs, counts_rows=False)


def _of_logs(tables: Tables, facts: Facts, arms: list[dict[str, Any]]) -> Facts:
    """The facts, with the record of the feedback where there is any."""
    if "feedback_events" not in tables:
        return facts
    steered = (tables["responses"], tables[again.WISHES]) if again.WISHES in tables else ()
    record = trail(tables["feedback_events"], tables["kept"], tables.get("unpaired"), *steered)
    found = {"Feedback": record.to_dicts(),
             "Share of the pairs that each tenth of the groups gives": deciles(
                 tables["kept"], tables["prompts"]).to_dicts()}
    if arms:
        found["Answered again: arms against each other and the logged answer"] = arms
        found["Answered again: share of words to change into what a person made of the logged answer"] = edit_costs(
            tables["responses"]).to_dicts()
    if "recall" in tables:
        found["What the cascade finds and spares"] = tables["recall"].select("name", "value").to_dicts()
    return {**facts, "feedback": {title: rows for title, rows in found.items() if rows}}


def all_dropped(tables: Tables) -> pl.DataFrame:
    """What filters removed, from pairs, single labels and lists."""
    return pl.concat([tables[name] for name in ("dropped", "unpaired_dropped", "lists_dropped") if name in tables])


def _audited(build: Build, tables: Tables) -> dict[str, pl.DataFrame]:
    """The tables of the report: all replies of models are counted together, and repairs with the answers."""
    replies = [tables[name] for name in REPLIES if name in tables]
    joined = {"completions": pl.concat(replies)} if replies else {}
    joined |= {name: with_repairs(tables, name) for name in ("responses", "executions", "outcomes") if name in tables}
    read = {name: tables[name] for name in INPUTS if name in tables}
    return {**read, **joined, "dropped": all_dropped(tables), "funnel": build.funnel(tables)}


def _truth(dataset: PreferenceDataset, tables: Tables) -> pl.DataFrame | None:
    if isinstance(dataset.truth, References | Given):
        known = truth_of_tests(tables["true_outcomes"]).drop_nulls("passes")
        answers = known.select("prompt_id", "response_id", quality=pl.col("passes").cast(pl.Float64))
        return pl.concat([answers, _true_steps(tables["true_steps"])]) if "true_steps" in tables else answers
    return None if dataset.truth is None else truth_of(tables["prompts"], tables["responses"], dataset.truth)


def _true_steps(steps: pl.DataFrame) -> pl.DataFrame:
    """The true quality of beginnings, whose ids stand where pairs by steps name responses."""
    return steps.drop_nulls("value").select("prompt_id", response_id="step_id",
                                            quality=pl.col("value") / pl.col("tests"))


def _numbers(headline: Mapping[str, Any]) -> dict[str, Any]:
    """The headline's numbers, which Dagster plots over builds."""
    flat = {name: value["value"] if isinstance(value, Mapping) else value for name, value in headline.items()}
    return {name: value for name, value in flat.items() if isinstance(value, int | float)}


def _checks(told: Report) -> Sequence[Check]:
    headline = told.facts["headline"]
    alpha, longer = headline["krippendorff_nominal"], headline["chosen_longer"]
    right = headline["label_accuracy"]
    leaning = [row for row in told.facts["position"] if row["value"] is not None and abs(row["value"] - 0.5) > 0.15]
    names = ", ".join(f"{row['judge']} {row['value']:.2f}" for row in leaning)
    return [
        Check(name=AUDIT_CHECKS[0].name, passed=alpha["low"] is None or alpha["low"] > 0, note=_said(alpha)),
        Check(name=AUDIT_CHECKS[1].name, passed=not leaning, note=names or "none does"),
        Check(name=AUDIT_CHECKS[2].name, passed=longer["value"] is None or 0.3 <= longer["value"] <= 0.7,
              note=_said(longer)),
        Check(name=AUDIT_CHECKS[3].name, passed=right["low"] is None or right["low"] > 0.5, note=_said(right)),
    ]


def _tested_checks(told: Report) -> Sequence[Check]:
    inverted, both_fail = (told.facts["headline"][name] for name in ("inverted", "both_fail"))
    return [Check(name=spec.name, passed=share["value"] is None or share["value"] <= limit, note=_said(share))
            for spec, share, limit in zip(TESTED_CHECKS, (inverted, both_fail), (0.05, 0.5), strict=True)]


def _said(estimate: Mapping[str, Any]) -> str:
    if estimate["value"] is None:
        return f"not measured: {estimate['reason']}"
    interval = "" if estimate["low"] is None else f", 95 % interval {estimate['low']} to {estimate['high']}"
    return f"{estimate['value']}{interval}"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
