"""Recipes from chat logs that could not be finished: each is refused with its remedy, before a log is read."""

import re
from typing import TYPE_CHECKING

from feedback.chatlogs.again import LoggedAgain
from feedback.chatlogs.answers import Logged
from feedback.chatlogs.cues import Cues
from feedback.chatlogs.detect import Detect
from feedback.chatlogs.hindsight import Hindsight
from feedback.chatlogs.imports import day_of
from feedback.chatlogs.validate import Validate
from preferences.by_events import PairByEvents
from preferences.unpaired_by_events import UnpairedByEvents
from schemas.errors import ConfigError

if TYPE_CHECKING:
    from assets.dataset import PreferenceDataset

_LIKE_A_DAY = re.compile(r"\d{1,4}([-._])\d{1,2}\1\d{1,4}|(?:19|20)\d{6}")


def check_logs(dataset: "PreferenceDataset") -> None:
    """Refuse logs that nobody reads, and labels by events without logs."""
    parts = {"prompts": dataset.prompts, "responses": dataset.responses, "preferences": dataset.preferences,
             "unpaired": dataset.unpaired}
    reading = [name for name, part in parts.items()
               if isinstance(part, Logged | LoggedAgain | PairByEvents | UnpairedByEvents)]
    if dataset.messages is None:
        if reading or dataset.tellers:
            raise ConfigError(f"{dataset.name}: {(reading or ['feedback_events'])[0]}= needs chat logs; add "
                              'messages=chat_logs("logs/**/*.json")')
        return
    _check_tellers(dataset)
    if dataset.rounds is not None:
        raise ConfigError(f"{dataset.name}: chat logs are read as they are, and have no policy to train; leave rounds "
                          "out")
    if not isinstance(dataset.prompts, Logged):
        raise ConfigError(f"{dataset.name}: logs are read, but nothing is asked from them; write prompts=logged()")
    if isinstance(dataset.preferences, PairByEvents) and not isinstance(dataset.responses, Logged):
        raise ConfigError(f"{dataset.name}: pair_by_events() pairs answers of the logs; write responses=logged()")
    if isinstance(dataset.unpaired, UnpairedByEvents) and not isinstance(dataset.responses, Logged):
        raise ConfigError(f"{dataset.name}: unpaired_by_events() labels answers of the logs; write responses=logged()")
    answers = dataset.responses.logged if isinstance(dataset.responses, LoggedAgain) else dataset.responses
    licences = {part.licensed_only for part in (dataset.prompts, answers) if isinstance(part, Logged)}
    if len(licences) > 1:
        raise ConfigError(f"{dataset.name}: prompts and responses take other messages; give both logged() alike")


def check_day(build: str) -> None:
    """Refuse a build from logs whose name looks like a day and is none: it would hold all days."""
    if _LIKE_A_DAY.fullmatch(build) and day_of(build) is None:
        raise ConfigError(f"the build's name {build!r} looks like a day and is none; write the day as 2026-01-31 "
                          "(year, month, day) to have what was said on it, or a name without a date to have everything")


def _check_tellers(dataset: "PreferenceDataset") -> None:
    """Refuse parts of the cascade that get in each other's way."""
    kinds = [type(part) for part in dataset.tellers if isinstance(part, Cues | Detect | Validate | Hindsight)]
    if len(set(kinds)) < len(kinds) or {Cues, Detect} <= set(kinds):
        raise ConfigError(f"{dataset.name}: feedback_events= holds cues(), or one detect(...) with cues of its own, "
                          "and at most one validate(...) and one in_hindsight(); leave the others out")
    if Hindsight in kinds and Detect not in kinds:
        raise ConfigError(f"{dataset.name}: in_hindsight() goes on from the turns that a model read as neutral; add "
                          "detect(...) before it")
    if kinds == [Validate]:
        raise ConfigError(f"{dataset.name}: validate(...) has nothing to check; add cues() or detect(...) before it")
