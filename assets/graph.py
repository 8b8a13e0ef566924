"""A recipe as Dagster assets: every stage becomes one step that reads tables, makes its own, shows and checks them."""

import hashlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.parquet as pq

from assets import checks, show
from assets.asked import tables_of
from assets.dataset import CHECKOUT, PreferenceDataset, known_engines
from assets.home import Build, Home
from assets.memory import give_back
from assets.recipe import build_stages, code_version
from assets.rounds import policy_after
from assets.runs import claim_run
from assets.stage import Check, CheckSpec, Means, Output, Stage, Tables
from assets.watch import Watcher
from generators.budget import Purse
from generators.engines import load_budget
from generators.store import ReplyStore
from schemas.errors import ConfigError
from schemas.funnel import funnel_table
from schemas.table import Table

_purses: dict[str, Purse] = {}
"""One a run, which its steps spend from."""


def builds_of(name: str) -> dg.DynamicPartitionsDefinition:
    """The partitions of a dataset: its builds, by date or name."""
    return dg.DynamicPartitionsDefinition(name=f"{name}_builds")


def assets_of(dataset: PreferenceDataset) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The assets of a dataset, one a table, all partitioned by build; of a round also the model it trains."""
    stages = build_stages(dataset)
    drawn = _drawn(stages)
    return [*(_asset(dataset, stage, drawn[stage.name]) for stage in stages), *_trained(dataset)]


def _drawn(stages: Sequence[Stage]) -> dict[str, list[str]]:
    """For each stage, the tables it is drawn behind: those it needs that no other table it needs comes from.

    The order of steps is the same as with all it reads, and the lineage is a flow instead of a knot.
    """
    behind: dict[str, set[str]] = {}
    drawn = {}
    for stage in stages:
        needs = [*stage.needs, *stage.after]
        older = set().union(*(behind[name] for name in needs))
        drawn[stage.name] = [name for name in needs if name not in older]
        behind |= {name: older | set(needs) for name in (*stage.writes, stage.name)}
    return drawn


def job_of(dataset: PreferenceDataset) -> Any:
    """The job that builds a dataset; schedule, UI and command line run this one."""
    return dg.define_asset_job(
        dataset.slug,
        selection=dg.AssetSelection.key_prefixes(dataset.key) - dg.AssetSelection.assets(*_models(dataset)),
        description=dataset.about or None,
    )


def _asset(dataset: PreferenceDataset, stage: Stage, drawn: Sequence[str]) -> dg.AssetsDefinition:
    names = tuple(stage.writes) or (stage.name,)
    version = code_version(dataset, stage.name)
    asks = stage.name == "completions"
    specs = [
        dg.AssetSpec(
            [*dataset.key, name],
            deps=[*([*dataset.key, name] for name in drawn), *(_model_before(dataset) if asks else ())],
            description=_description(stage, name),
            group_name=dataset.name,
            kinds={"polars", "parquet"} if stage.writes else {"markdown"},
            code_version=version,
        )
        for name in names
    ]
    @dg.multi_asset(
        name=f"{dataset.slug}__{stage.name}",
        specs=specs,
        partitions_def=builds_of(dataset.slug),
        check_specs=[_check_spec(dataset, stage, spec) for spec in _all_checks(stage)],
        required_resource_keys={"watcher"},
        pool="gpu" if _needs_gpu(dataset, stage) else None,
    )
    def step(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        yield from _run(context, dataset, stage)

    return step


def _trained(dataset: PreferenceDataset) -> list[dg.AssetSpec]:
    """The model of a round, which a trainer outside makes; the next round's answers come after it."""
    after = policy_after(dataset)
    then = (f"Serve it, name its engine [engines.{after}] in {str(dataset.engines).replace(f'{CHECKOUT}/', '')}, with "
            f"its weights' digest or path as revision, and build {dataset.name}_r{(dataset.round or 0) + 1}."
            if after else "It is the last one.")
    told = (f"The policy after round {dataset.round}, made outside: train the round's policy on the dataset folder of "
            f"{dataset.slug}, from the model that answered in it. {then}")
    return [dg.AssetSpec(key, deps=[[*dataset.key, "dataset"]], group_name=dataset.name, kinds={"pytorch"},
                         description=told) for key in _models(dataset)]


def _models(dataset: PreferenceDataset) -> list[list[str]]:
    return [] if dataset.round is None else [[*dataset.key, "model"]]


def _model_before(dataset: PreferenceDataset) -> list[list[str]]:
    return [[dataset.name, f"r{dataset.round - 1}", "model"]] if dataset.round else []


def _needs_gpu(dataset: PreferenceDataset, stage: Stage) -> bool:
    """Whether a step holds the GPU. A mistake in an engines file stops the builds that use it, and not the UI."""
    try:
        known = known_engines(dataset)
    except ConfigError:
        return False
    return any(engine.gpu for name, engine in known.items() if name in stage.engines)


def _description(stage: Stage, name: str) -> str:
    meaning = stage.meaning if name == stage.name else stage.writes[name].meaning
    read = f"Reads {', '.join(stage.needs)}." if stage.needs else "Reads no other table."
    return f"{meaning[0].upper()}{meaning[1:]}. {read}"


def _run(context: dg.AssetExecutionContext, dataset: PreferenceDataset,
         stage: Stage) -> Iterator[dg.MaterializeResult[Any]]:
    """Hold the build, read, make, write, show."""
    home = Home.find()
    build = home.build(dataset.slug, context.partition_key)
    build.hold()
    claim_run(context.instance, context.run.run_id)
    give_back()
    inputs = tables_of(build, stage)
    started = time.time()
    spent: Mapping[str, Any] = {}
    if stage.write_folder is not None:
        yield _folder_result(dataset, stage, stage.write_folder(build, inputs))
    elif stage.make is not None:
        output = _make(context, home, dataset, stage, inputs)
        spent = output.spent
        yield from _table_results(dataset, stage, build, output)
    build.note_run({"run": context.run.run_id, "stage": stage.name, "started": round(started, 3),
                    "seconds": round(time.time() - started, 3), **context.resources.watcher.spent(), **spent})


def _make(context: dg.AssetExecutionContext, home: Home, dataset: PreferenceDataset, stage: Stage,
          inputs: Tables) -> Output:
    engines = known_engines(dataset, must_exist=bool(stage.engines))
    watcher: Watcher = context.resources.watcher
    watcher.begin(f"{dataset.slug}/{stage.name}", context.log.info)
    if stage.make is None:
        raise ConfigError(f"stage {stage.name} makes nothing")
    opened: Any = ReplyStore.open(home.store, os.environ.get("WINNOW_STORE")) if stage.engines else nullcontext()
    with opened as store:
        purse = _purse(context.run.run_id, dataset)
        means = Means(engines=engines, store=store, runs=home.runs, build=context.partition_key,
                      home=home.root, budget=purse, progress=watcher.update, started=watcher.server)
        return stage.make(means, inputs)


def _table_results(dataset: PreferenceDataset, stage: Stage, build: Build,
                   output: Output) -> Iterator[dg.MaterializeResult[Any]]:
    everything = tables_of(build, stage, output.tables)
    checked = [checks.check_balance(output.counts)] if output.counts else []
    if stage.check is not None:
        checked += stage.check(everything)
    funnel_file = build.file(stage.name).with_name("funnel.parquet")
    for name, table in stage.writes.items():
        path = build.write(name, table, output.pieces[name] if name in output.pieces else output.tables[name])
        first = name == stage.name
        if first:
            _write_funnel(funnel_file, output)
        yield dg.MaterializeResult(
            asset_key=[*dataset.key, name],
            metadata=_metadata(stage, name, table, path, everything, output),
            data_version=dg.DataVersion(_sha256(path)[:16]),
            check_results=[_check_result(dataset, stage, check) for check in checked] if first else [],
        )


def _metadata(stage: Stage, name: str, table: Table, path: Path, everything: Tables,
              output: Output) -> dict[str, Any]:
    seen = dict(stage.show[name](everything)) if name in stage.show else {}
    if name == stage.name and output.counts:
        seen["funnel"] = show.funnel(output.counts)
    return {
        "dagster/partition_row_count": pq.read_metadata(path).num_rows,
        **as_metadata(seen),
        "dagster/column_schema": dg.TableSchema(columns=[
            dg.TableColumn(column.name, str(column.type), description=column.meaning) for column in table.columns]),
        "path": dg.MetadataValue.path(str(path)),
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def as_metadata(values: Mapping[str, Any]) -> dict[str, Any]:
    """Texts as Markdown, small tables as tables, numbers as they are, so that Dagster plots them over builds."""
    return {key: _as_value(value) for key, value in values.items()}


def _as_value(value: Any) -> Any:
    if isinstance(value, show.Rows):
        schema = dg.TableSchema(columns=[dg.TableColumn(name) for name in value.columns])
        records = [dg.TableRecord(dict(zip(value.columns, row, strict=True))) for row in value.rows]
        return dg.MetadataValue.table(records, schema)
    if isinstance(value, Path):
        return dg.MetadataValue.path(str(value))
    return dg.MetadataValue.md(value) if isinstance(value, str) else value


def _folder_result(dataset: PreferenceDataset, stage: Stage, told: Mapping[str, Any]) -> dg.MaterializeResult[Any]:
    values = dict(told)
    checked: list[Check] = values.pop("checks", [])
    version = values.pop("data_version")
    return dg.MaterializeResult(
        asset_key=[*dataset.key, stage.name],
        metadata=as_metadata(values),
        data_version=dg.DataVersion(version),
        check_results=[_check_result(dataset, stage, check) for check in checked],
    )


def _all_checks(stage: Stage) -> tuple[CheckSpec, ...]:
    return (checks.BALANCE, *stage.checks) if stage.counts_rows else stage.checks


def _check_spec(dataset: PreferenceDataset, stage: Stage, spec: CheckSpec) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(spec.name, asset=[*dataset.key, stage.name], description=spec.meaning,
                             blocking=spec.blocking)


def _check_result(dataset: PreferenceDataset, stage: Stage, check: Check) -> dg.AssetCheckResult:
    blocking = {spec.name for spec in _all_checks(stage) if spec.blocking}
    severity = dg.AssetCheckSeverity.ERROR if check.name in blocking else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(check_name=check.name, asset_key=[*dataset.key, stage.name], passed=check.passed,
                               severity=severity, metadata={"note": check.note, **check.figures})


def _write_funnel(path: Path, output: Output) -> None:
    from schemas import FUNNEL

    FUNNEL.write(funnel_table(output.counts), path)


def _purse(run_id: str, dataset: PreferenceDataset) -> Purse:
    if run_id not in _purses:
        _purses[run_id] = Purse(load_budget(dataset.engines) if dataset.engines.exists() else None)
    return _purses[run_id]
