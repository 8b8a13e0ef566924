"""What a person is told when a command fails: the place and the remedy, on one screen, where we know them."""

import errno
import sqlite3
from collections.abc import Iterator

from assets.home import Home
from schemas.errors import WinnowError

_FULL = (errno.ENOSPC, errno.EDQUOT)


def complaint(error: BaseException) -> str | None:
    """The message of an error that the user can mend; None for one that is a defect of ours and needs its traceback."""
    for cause in _causes(error):
        if isinstance(cause, WinnowError):
            kind = next(kind for kind in type(cause).__mro__ if kind.__module__ == WinnowError.__module__)
            return f"{kind.__name__}: {cause}"
        if _is_full_disk(cause):
            return (f"The disk is full: {cause}. Make room below {Home.find().root}, or set WINNOW_HOME to another "
                    "disk, and start again with the same command; every reply so far is stored.")
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it, which may lead back to the error."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _is_full_disk(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in _FULL
    return isinstance(error, sqlite3.OperationalError) and "disk is full" in str(error)
