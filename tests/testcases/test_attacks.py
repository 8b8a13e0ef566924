"""Attacks on the sandbox, as this user and, where that is root, as a plain user too."""

import os
from collections.abc import Iterator

import pytest

from benchmarks import attacks
from benchmarks.attack import Attack
from benchmarks.attack_programs import ATTACKS
from feedback.testcases.sandbox import isolation
from feedback.testcases.sandbox.runner import Sandbox
from schemas.errors import SandboxError

pytestmark = pytest.mark.skipif(isolation.strict_misses() is not None, reason=f"{isolation.strict_misses()}")


def namespaces() -> str | None:
    """Why isolation "namespaced" cannot be had here; None where it can."""
    try:
        with Sandbox(isolation="namespaced", workers=1):
            return None
    except SandboxError as error:
        return str(error)


@pytest.fixture(scope="module", params=["this user", "a plain user", "namespaces"])
def found(request: pytest.FixtureRequest) -> Iterator[attacks.Found]:
    if request.param == "namespaces":
        if (missing := namespaces()) is not None:
            pytest.skip(missing)
        yield attacks.apart(os.geteuid(), "namespaced", quick=True)
        return
    if request.param == "this user":
        yield attacks.apart(os.geteuid())
        return
    if os.geteuid() != 0:
        pytest.skip("this is a plain user: the other half of these tests is it")
    python = attacks.reachable(attacks.PLAIN_USER)
    if python is None:
        pytest.skip("no Python of 3.11 or later that a plain user can start")
    yield attacks.apart(attacks.PLAIN_USER, python=python, quick=True)


def test_all_attacks_were_run(found: attacks.Found) -> None:
    quick = {attack.name for attack in attacks.QUICK}
    planned: tuple[Attack, ...] = ATTACKS if set(found.ended) > quick else attacks.QUICK
    assert set(found.ended) == {attack.name for attack in planned}
    assert found.attacks == len(planned)
    assert len(ATTACKS) >= 43


def test_no_program_escapes(found: attacks.Found) -> None:
    assert found.escapes == []


def test_no_process_survives(found: attacks.Found) -> None:
    assert found.survivors == []


def test_no_program_is_called_right_without_knowing_what_is(found: attacks.Found) -> None:
    assert found.false_passes == []


def test_honest_programs_beside_attacks_give_their_results(found: attacks.Found) -> None:
    assert found.harmed == []
