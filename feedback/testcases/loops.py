"""What is made of responses once their tests are known: values of their beginnings, repairs, and hints that help.

All ask models again and run what comes back on the tests there are; no test case is made of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from feedback.testcases.completing import Complete
from feedback.testcases.hints import KeepHints, keep_hints
from feedback.testcases.repair import Repair
from feedback.testcases.reports import Report, report
from feedback.testcases.steps import Cut, ValueSteps, value_steps
from feedback.testcases.tutor import Tutor
from schemas.errors import ConfigError

Asking = TypeVar("Asking", Complete, Repair, Tutor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Values beginnings of responses; see `steps`."""

    cut: Cut
    complete: Complete
    value: ValueSteps

    @property
    def asks(self) -> tuple[Complete]:
        """What asks models."""
        return (self.complete,)

    def asking(self, old: str, new: str) -> "Steps":
        """The same, with one engine in another's place."""
        return replace(self, complete=_asking(self.complete, old, new))

    def calls(self, prompts: int, answers: int) -> int | None:
        """The most requests for so many prompts, re-asks apart; None where a prompt may have any number of steps."""
        return None if self.cut.cap is None else self.complete.calls(prompts * self.cut.cap)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repairs:
    """Repairs responses, round after round; see `repairs`."""

    report: Report
    repair: Repair

    @property
    def asks(self) -> tuple[Repair]:
        """What asks models."""
        return (self.repair,)

    def asking(self, old: str, new: str) -> "Repairs":
        """The same, with one engine in another's place."""
        return replace(self, repair=_asking(self.repair, old, new))

    def calls(self, prompts: int, answers: int) -> int | None:
        """The most requests for so many answers, re-asks apart: each of them fails, and each repair of it."""
        each = self.repair.n * len(self.repair.names)
        return sum(answers * int(each ** number) for number in range(1, self.repair.rounds + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """Keeps hints that help a weak student; see `hints`."""

    tutor: Tutor
    student: Repair
    keep: KeepHints
    report: Report

    @property
    def asks(self) -> tuple[Tutor, Repair]:
        """What asks models."""
        return (self.tutor, self.student)

    def asking(self, old: str, new: str) -> "Hints":
        """The same, with one engine in another's place."""
        return replace(self, tutor=_asking(self.tutor, old, new), student=_asking(self.student, old, new))

    def calls(self, prompts: int, answers: int) -> int | None:
        """The most requests for so many answers, re-asks apart: each of them fails, and no two are equal."""
        told = self.tutor.n * len(self.tutor.names)
        return answers * (told + self.student.n * len(self.student.names) * (told + 1))


def steps(cut: Cut, complete: Complete, value: ValueSteps | None = None) -> Steps:
    """Cut responses, let models complete their beginnings, and value each by the tests its completions pass (PFPO).

    Prompts whose responses all pass as many tests are left alone. Raises ConfigError on what cannot be.
    """
    _are("steps", (cut, complete, value or value_steps()), (Cut, Complete, ValueSteps),
         "steps(cut(...), complete([...]), value_steps(...))")
    return Steps(cut=cut, complete=complete, value=value or value_steps())


def repairs(repair: Repair, report: Report = report()) -> Repairs:  # noqa: B008  # it is frozen
    """Report to models what the tests say of a response that fails one, and let them repair it, round after round.

    What the report shows of a test a repair may copy: report on sources other than those of the labels, where there
    are several. Raises ConfigError on what cannot be.
    """
    _are("repairs", (repair, report), (Repair, Report), "repairs(repair([...]), report(...))")
    if not repair.told:
        raise ConfigError("repairs: told=False shows no report; it is what hints are compared with, by `uplift`")
    return Repairs(report=report, repair=repair)


def hints(tutor: Tutor, student: Repair, keep: KeepHints | None = None, report: Report = report()) -> Hints:  # noqa: B008
    """Let a tutor write hints for answers that fail, and keep those with which a weak student repairs more (GPT4Hints).

    The student repairs each answer `n` times with every hint of it, and as often without; write
    `repair(["student"], n=10, rounds=1)`. `keep` is `keep_hints(threshold, least)`, by default with four in five of the
    student's n as least. `report` is what the tutor sees of the tests. Raises ConfigError on what cannot be.
    """
    keep = keep or keep_hints(least=-(-4 * student.n // 5) if isinstance(student, Repair) else 1)
    _are("hints", (tutor, student, keep, report), (Tutor, Repair, KeepHints, Report),
         "hints(tutor([...]), repair([...], n=10, rounds=1), keep_hints(0.2))")
    if not student.told or student.explain or student.rounds != 1:
        raise ConfigError("hints: the student repairs once from each hint, and alone; write repair([...], n=10, "
                          "rounds=1)")
    tries = student.n * len(student.names)
    if tries < keep.least:
        raise ConfigError(f"hints: keep_hints(least={keep.least}) needs as many repairs on either side, and the "
                          f"student makes {tries}; raise n in repair(...), or lower least")
    return Hints(tutor=tutor, student=student, keep=keep, report=report)


def _are(name: str, parts: Sequence[object], kinds: Sequence[type], remedy: str) -> None:
    for part, kind in zip(parts, kinds, strict=True):
        if not isinstance(part, kind):
            raise ConfigError(f"{name}: holds {part!r:.60}; write {remedy}")


def _asking(part: Asking, old: str, new: str) -> Asking:
    return replace(part, names=tuple(new if name == old else name for name in part.names))
