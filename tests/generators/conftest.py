"""Fixtures of the engine client's tests."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from generators.store import ReplyStore
from tests.generators.loopback import Answer, Loopback


@pytest.fixture
def loopback() -> Iterator[Callable[..., Loopback]]:
    """Starts a server with the given answers; it stops with the test."""

    def start(answer: Answer, **settings: Any) -> Loopback:
        return opened.enter_context(Loopback(answer, **settings))

    with ExitStack() as opened:
        yield start


@pytest.fixture
def replies(tmp_path: Path) -> Iterator[ReplyStore]:
    """An empty reply store."""
    with ReplyStore.open(tmp_path / "store") as opened:
        yield opened
