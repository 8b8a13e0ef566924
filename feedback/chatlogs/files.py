"""The files that logs lie in; a file's name is what somebody called it, and may be an address."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from generators.files import Found, files_of
from generators.records import File, each_file, files_in
from privacy.scrub import Scrub
from schemas.errors import BucketError, InputError


def log_files(path: str) -> Iterator[File]:
    """The files that a path means; what is wrong with one is told without what its name gives away."""
    with _clean():
        yield from each_file(path)


def found_files(paths: Iterable[str]) -> list[Found]:
    """The files that paths mean, each once, by name, before they are opened; errors are told likewise."""
    with _clean():
        found = {file.name: file for path in paths for file in files_of(path)}
    return [found[name] for name in sorted(found)]


def digest_of(found: Found) -> str:
    """The SHA-256 of a file's bytes."""
    with _clean():
        return found.sha256()


def names_in(found: Found) -> list[str]:
    """The name of a file, or of those in an archive."""
    with _clean():
        return [file.name for file in files_in(found)]


@contextmanager
def _clean() -> Iterator[None]:
    try:
        yield
    except (InputError, BucketError) as error:
        raise type(error)(Scrub().text(str(error))[0]) from None
