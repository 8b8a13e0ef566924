"""What a person is told when a command fails."""

import errno

from pipelines.commands.complaint import complaint
from schemas.errors import InputError


def test_an_error_of_ours_is_found_behind_others() -> None:
    outer = RuntimeError("a step failed")
    outer.__cause__ = InputError("prompts.jsonl, line 17: mend it")
    assert complaint(outer) == "InputError: prompts.jsonl, line 17: mend it"


def test_errors_that_lead_to_each_other_are_a_defect_and_not_a_hang() -> None:
    one, other = RuntimeError("one"), RuntimeError("other")
    one.__context__, other.__context__ = other, one
    assert complaint(one) is None


def test_a_full_disk_is_told_apart_from_other_system_errors() -> None:
    assert "disk is full" in str(complaint(OSError(errno.ENOSPC, "No space left on device")))
    assert complaint(OSError(errno.EACCES, "Permission denied")) is None
