"""Whose an export is whose conversations name nobody: the account beside them, else the export itself is one person."""

from feedback.chatlogs.files import log_files
from feedback.chatlogs.said import first
from generators.records import File, Record
from schemas.errors import InputError

ACCOUNT = "user.json"
"""Where an export names its account."""


def owner_of(file: File) -> str:
    """The id of the account that lies beside a file, else the name of the archive that it is in, or its own.

    Raises BucketError where a bucket does not say whether an account lies there: another name would be another person.
    """
    return _account(file) or file.archive or file.name


def _account(file: File) -> str | None:
    """The account's id, else its address; None where no file beside this one names it."""
    beside = "/".join((*file.name.split("/")[:-1], ACCOUNT))
    try:
        for other in log_files(file.archive or beside):
            record = next(other.records, None) if other.name == beside else None
            if isinstance(record, Record):
                return first(record.fields.get("id"), record.fields.get("email"))
    except InputError:  # none is there; one that is no JSON is told where it is read as a log
        pass
    return None
