"""CHAT LOGS: the files that a dataset's conversations are read from, whole or of one day."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from feedback.chatlogs.gather import Gathered, gather
from feedback.chatlogs.imports import first_days
from feedback.chatlogs.parts import Format
from feedback.chatlogs.sniff import named
from privacy.forgotten import forgotten as left_out
from privacy.names import Names
from privacy.people import Salt
from schemas.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatLogs:
    """Reads logs; see `chat_logs`."""

    paths: tuple[str, ...]
    reader: str | Format | None
    names: Names | None = None

    def read(self, home: Path, today: date, day: date | None = None,
             forgotten: frozenset[str] = frozenset()) -> Gathered:
        """The messages and signals of all conversations; with `day`, of those that were touched on it.

        `home` is WINNOW_HOME, which holds the salt of the digests and the days of what logs do not date: `today` for
        files that are seen for the first time. Who asked to be forgotten (privacy/forgotten.py), or is in `forgotten`,
        is left out and counted. Raises what `gather` raises.
        """
        undated = None if day is None else first_days(self.found, home, today)
        return gather(self.found, Salt.find(home), forgotten=forgotten | left_out(home), day=day, undated=undated,
                      reader=self.reader, finder=self.names, folder=home)

    @property
    def found(self) -> list[str]:
        """The paths as places name them: relative to where we are, so that no table says where the checkout lies."""
        here = Path.cwd()
        return [str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path for path in self.paths]


def chat_logs(*paths: str | Path, reader: str | Format | None = None,
              names: Names | None = None) -> ChatLogs:
    """The messages and signals of chat logs: files, globs, folders or zip archives, each of the format it looks like.

    Each may also be a URL that fsspec knows: "s3://bucket/logs/**/*.jsonl", "gs://...", "hf://datasets/..."; what a
    bucket holds is read in blocks, and no copy is kept. Keys and endpoints come from where its package looks for them.
    `reader` names the format of all of them instead, or is one: `columns(...)`. A build that is named after a day
    (2026-01-31) holds each conversation with a message or a signal of that day, as it stood at the day's end, and of
    its signals those of the day; what a log does not date counts as of the day its file was first imported. A build of
    any other name holds everything. Names of users and conversations are salted digests; personal data and secrets are
    replaced by placeholders before anything is written, and with `names`, such as presidio(), names of people and
    places too (docs/privacy.md). Raises ConfigError without a path, or for a reader there is not.
    """
    if not paths:
        raise ConfigError('chat_logs: name the logs, such as chat_logs("logs/**/*.json")')
    if isinstance(reader, str):
        named(reader)
    return ChatLogs(paths=tuple(str(path) for path in paths), reader=reader, names=names)

