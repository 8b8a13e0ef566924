"""Hints as a stage of a recipe: a planned tutor, a planned student, and which hints are known to help."""

from pathlib import Path
from typing import Any

import pytest

from assets.recipe import used_engines
from assets.rounds import rounds, unrolled
from feedback.testcases.hints import keep_hints
from feedback.testcases.loops import hints
from feedback.testcases.repair import repair
from feedback.testcases.tutor import tutor
from feedback.testcases.vote import vote_outputs
from generators.sample import sample
from preferences.by_tests import pair_by_tests
from preferences.unpaired_by_tests import unpaired_by_tests
from schemas.errors import ConfigError
from tests.generators.loopback import Loopback, Sent, said
from tests.testcases.test_later_stages import recipe
from tests.testcases.walked import Walked, balanced, fates

HINTS = hints(tutor(["policy"], n=2), repair(["policy"], n=4, rounds=1), keep_hints(0.5, least=4))
HELPS, IDLE = "The numbers are to be added.", "Look at it again."


class School:
    """A tutor whose first hint helps and whose second does not; a student that is right once in four without help."""

    def __init__(self) -> None:
        self.hinted, self.alone = 0, 0

    async def __call__(self, sent: Sent) -> Any:
        if "Write a hint" in sent.text:
            assert "The answer 6 is not right." in sent.text
            assert "boxed{5}" not in sent.text
            self.hinted += 1
            return said((HELPS, IDLE)[self.hinted % 2])
        assert "Multiply them." in sent.text
        if HELPS in sent.text:
            return said("\\boxed{5}")
        self.alone += IDLE not in sent.text
        return said("\\boxed{5}" if self.alone == 1 and IDLE not in sent.text else "\\boxed{6}")


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    folder = tmp_path_factory.mktemp("hints")
    with Loopback(School()) as running:
        return Walked(recipe(folder, hints=HINTS), folder, running.url)


def test_a_hint_stays_where_the_student_repairs_more_with_it_than_without(taught: Walked) -> None:
    assert taught.tables["hints"].select("text", "score").rows() == [(HELPS, 0.75)]
    assert sorted(taught.tables["tutored"].select("text", "score").rows()) == [(IDLE, -0.25), (HELPS, 0.75)]
    assert taught.tables["hint_repairs"].height == 3 * 4
    assert taught.tables["hint_completions"].height == 2 + 3 * 4
    assert fates(taught.counts["hints"], "hints", "critiques") == {"in": 2, "out": 1, "no uplift": 1}
    assert fates(taught.counts["hints"], "hints, reports", "candidates") == {"in": 12, "out": 3, "identical": 9}
    assert all(map(balanced, taught.counts.values()))
    assert taught.failed == []


def test_repairs_of_the_student_make_no_pair_and_are_paid_for_in_the_card(taught: Walked) -> None:
    assert taught.tables["kept"].height == 4 * 2
    card = (taught.build.folder / "README.md").read_text()
    assert "hints, tutor" in card
    assert "| policy | tiny | 14 |" in card


def test_a_hint_and_a_repair_of_it_are_walked_back(taught: Walked) -> None:
    first = taught.tables["tutored"]["text"].to_list().index(HELPS)
    assert "Multiply them." in taught.why("tutored", first)
    helped = taught.tables["hint_repairs"]["critiques"].list.len().to_list().index(1)
    told = taught.why("hint_repairs", helped)
    assert "told by policy" in told
    assert "repairs pass" in told


def test_where_no_answer_has_a_test_nobody_is_asked(tmp_path: Path) -> None:
    idle = recipe(tmp_path, hints=HINTS, test_cases=vote_outputs(min_voters=6, share=1.0), kept=[],
                  preferences=pair_by_tests(floor=1.0, margin=1), unpaired=unpaired_by_tests(bad=1.0))
    made = Walked(idle, tmp_path, "http://127.0.0.1:9/v1")
    assert made.tables["tutored"].is_empty()
    assert made.tables["hint_completions"].is_empty()


def test_the_policy_of_a_round_is_its_own_student(tmp_path: Path) -> None:
    looped = recipe(tmp_path, hints=HINTS, responses=sample(["policy"], n=5), rounds=rounds(2))
    assert [used_engines(one) for one in unrolled(looped)] == [{"policy"}, {"policy_r1"}]


@pytest.mark.parametrize(("make", "says"), [
    (lambda: hints(tutor(["a"]), repair(["b"], n=3, rounds=1), keep_hints(least=4)), "makes 3; raise n"),
    (lambda: hints(tutor(["a"]), repair(["b"], n=10)), "n=10, rounds=1"),
    (lambda: hints(repair(["b"]), tutor(["a"])), r"write hints\(tutor"),  # type: ignore[arg-type]
    (lambda: tutor(["a"], n=0), "n is 0"), (lambda: tutor([]), "at least one engine"),
])
def test_a_school_that_could_not_work_is_refused(make: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        make()
