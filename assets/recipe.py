"""What a recipe amounts to: its stages in order, its engines, and the digests that name a build."""

import dataclasses
import hashlib
import inspect
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

from assets import again, cascade, chatlogs, generation, hints, jury, later, preferences, publishing, testcases
from assets.dataset import CHECKOUT, PreferenceDataset, known_engines
from assets.mutation import mutation
from assets.stage import Stage
from assets.truth import truth
from feedback.chatlogs.again import LoggedAgain
from feedback.chatlogs.answers import Logged
from feedback.testcases.execute import Execute
from feedback.testcases.given import Given
from feedback.testcases.references import References
from generators.engines import Engine
from generators.files import files_of
from generators.sample import Sample
from preferences.unpaired_by_events import UnpairedByEvents
from schemas.errors import ConfigError
from schemas.ids import canonical, digest

_ROOMS = ("schemas", "privacy", "generators", "filters", "feedback", "preferences", "audits", "exports", "assets")


def build_stages(dataset: PreferenceDataset) -> list[Stage]:
    """The stages of a recipe, in the order they run; a keyword that is not given has no stage."""
    stages = [*_logged(dataset), generation.prompts(dataset)]
    if isinstance(dataset.responses, LoggedAgain):
        stages[-1:] = again.before_prompts(dataset, dataset.responses)
    elif isinstance(dataset.prompts, Logged):
        stages[-1] = chatlogs.prompts(dataset.prompts)
    if isinstance(dataset.responses, Sample) or dataset.juries:
        stages.append(generation.criteria(dataset))
    if isinstance(dataset.responses, Sample):
        stages += [generation.completions(dataset, dataset.responses), generation.responses(dataset.responses)]
    elif isinstance(dataset.responses, LoggedAgain):
        stages += again.responses(dataset, dataset.responses)
    elif isinstance(dataset.responses, Logged):
        stages.append(chatlogs.responses(dataset.responses))
    else:
        stages.append(generation.imported_responses(dataset.responses))
    if dataset.juries:
        stages.append(jury.judge_completions(dataset))
    if dataset.judged:
        stages.append(jury.judgments(dataset))
    if dataset.rankings:
        stages.append(jury.rankings(dataset.rankings))
    stages += _tested(dataset)
    stages += [preferences.preferences(dataset), preferences.kept(dataset)]
    if isinstance(dataset.unpaired, UnpairedByEvents):
        stages.append(chatlogs.unpaired(dataset, dataset.unpaired))
    elif dataset.unpaired:
        stages.append(preferences.unpaired(dataset, dataset.unpaired))
    if dataset.lists:
        stages.append(preferences.lists(dataset, dataset.lists))
    made = tuple(name for stage in stages for name in stage.writes)
    digests = {"recipe": digest(describe(dataset)), "code": code_digest()}
    return [*stages, publishing.audit(dataset, made), publishing.dataset_folder(dataset, made, digests)]


def _logged(dataset: PreferenceDataset) -> list[Stage]:
    """The stages that read chat logs; none where there are none."""
    if dataset.messages is None:
        return []
    cues = cascade.cues_of(dataset)
    return [chatlogs.messages(dataset.messages), *([chatlogs.turn_cues(cues)] if cues else []),
            *cascade.asking(dataset), chatlogs.feedback_events(dataset)]


def _tested(dataset: PreferenceDataset) -> list[Stage]:
    """The stages of test-case feedback; none where nothing is tested."""
    if dataset.outcomes is None or dataset.executions is None:
        return []
    stages = [testcases.programs(dataset.programs)] if dataset.programs else []
    if dataset.writers:
        stages.append(testcases.test_completions(dataset))
    stages += [testcases.test_inputs(dataset), testcases.executions(dataset), testcases.test_cases(dataset),
               testcases.outcomes(dataset)]
    if dataset.repairs:
        stages.append(later.repairs(dataset, dataset.repairs))
    if dataset.steps:
        stages.append(later.steps(dataset, dataset.steps))
    if dataset.hints:
        stages.append(hints.hints(dataset, dataset.hints))
    if dataset.correct:
        stages.append(later.correct(dataset, dataset.correct))
    if dataset.mutation and isinstance(dataset.executions, Execute):
        stages.append(mutation(dataset, dataset.mutation, dataset.executions))
    if isinstance(dataset.truth, References | Given):
        stages.append(truth(dataset, dataset.truth))
    return stages


def used_engines(dataset: PreferenceDataset) -> set[str]:
    """The names of the engines that a build will call."""
    return {name for stage in build_stages(dataset) for name in stage.engines}


def check_engines(dataset: PreferenceDataset) -> dict[str, Engine]:
    """The engines a build will call; a ConfigError names those that the engines file lacks."""
    used = used_engines(dataset)
    known = known_engines(dataset, must_exist=bool(used))
    hint = f" It serves what was trained on {dataset.name}_r{dataset.round - 1}." if dataset.round else ""
    if missing := sorted(used - known.keys()):
        raise ConfigError(
            f"{dataset.name}: no engine is called {', '.join(missing)} in {dataset.engines}; "
            f"it has {', '.join(sorted(known)) or 'none'}. Add a table [engines.{missing[0]}] with url and model.{hint}"
        )
    return {name: known[name] for name in sorted(used)}


def build_name(dataset: PreferenceDataset) -> str:
    """The name of a build that was given none: a digest of recipe, inputs and code."""
    engines = [_identity(engine) for engine in check_engines(dataset).values()]
    return f"b{digest(describe(dataset), engines, input_digests(dataset), code_digest())[:10]}"


def code_version(dataset: PreferenceDataset, stage: str) -> str:
    """What Dagster compares to tell whether a table was made by this code and recipe."""
    return digest(stage, describe(dataset), code_digest())[:12]


def describe(value: Any, inside: tuple[Any, ...] = ()) -> Any:
    """A recipe, or a part of it, as JSON: operators with their settings, functions by name, source and what they use.

    `inside` holds what is being described, since a function may use itself. ConfigError for what has no stable name.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, type | ModuleType) or any(value is outer for outer in inside):
        return getattr(value, "__name__", type(value).__name__)
    if isinstance(value, Path | str):
        return str(value).replace(f"{CHECKOUT}/", "")  # where the checkout lies must not change a digest
    if isinstance(value, Mapping):
        return {str(key): describe(item, inside) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((describe(item, inside) for item in value), key=canonical)
    if isinstance(value, Sequence):
        return [describe(item, inside) for item in value]
    return {_named(value): describe(_settings(value), (*inside, value))}


def _named(value: Any) -> str:
    """What kind of thing it is; of a function also a digest of its source."""
    if inspect.isfunction(value):
        return f"{value.__module__}.{value.__qualname__} {digest(inspect.getsource(value))[:8]}"
    return value.__name__ if inspect.ismethod(value) else type(value).__name__


def _settings(value: Any) -> Any:
    """What an object holds, or a function uses: variables around it, defaults, and globals that code_digest misses."""
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if inspect.ismethod(value):
        return value.__self__
    if isinstance(value, partial):
        return [value.func, value.args, value.keywords]
    if inspect.isfunction(value):
        used = inspect.getclosurevars(value)
        outside = {} if value.__module__.partition(".")[0] in _ROOMS else used.globals
        return {**used.nonlocals, **outside, "defaults": [value.__defaults__, value.__kwdefaults__]}
    if " at 0x" not in (told := str(value)):
        return told
    if not hasattr(value, "__dict__"):
        raise ConfigError(f"the recipe holds {told}, which is named after its place in memory; write a function")
    return vars(value)


def input_digests(dataset: PreferenceDataset) -> dict[str, str]:
    """The SHA-256 of every file that the recipe reads; a dataset of the Hub is named by its path alone."""
    logs = dataset.messages.paths if dataset.messages else ()
    parts = (dataset.prompts, dataset.responses, *dataset.judged)
    paths = {str(getattr(getattr(part, "__self__", part), "path", "")) for part in parts} - {""} | {*logs}
    found = {file.name: file for path in paths for file in files_of(path)}
    return {describe(name): found[name].sha256() for name in sorted(found)}


@cache
def code_digest() -> str:
    """A digest of all code and prompt texts that can change a table."""
    files = sorted(path for room in _ROOMS for kind in ("*.py", "*.txt") for path in (CHECKOUT / room).rglob(kind))
    sums = [[str(path.relative_to(CHECKOUT)), hashlib.sha256(path.read_bytes()).hexdigest()] for path in files]
    return digest(sums)


def _identity(engine: Engine) -> list[Any]:
    """What of an engine decides its answers; where it runs and what it costs does not."""
    return [engine.name, engine.model, engine.revision, describe(engine.params)]

