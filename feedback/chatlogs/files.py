"""The files that logs lie in; a file's name is what somebody called it, and may be an address."""

from collections.abc import Iterator

from generators.records import File, each_file
from privacy.scrub import Scrub
from schemas.errors import InputError


def log_files(path: str) -> Iterator[File]:
    """The files that a path means; what is wrong with one is told without what its name gives away."""
    try:
        yield from each_file(path)
    except InputError as error:
        raise InputError(Scrub().text(str(error))[0]) from None
