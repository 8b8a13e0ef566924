"""What every test may ask for: the real data sets, where this machine has them."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent

# No deadline: a shared machine stalls now and then. Derandomised: a law that fails must fail again on the next run.
settings.register_profile("winnow", max_examples=60, deadline=None, derandomize=True, database=None)
settings.load_profile("winnow")

# Read when numpy is first imported, by a test: its products are small here, and threads only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


SLOW_FILES = (
    "privacy/test_end_to_end.py", "pipelines/test_misuse.py", "pipelines/test_log_misuse.py", "pocket/test_recipes.py",
    "assets/test_graph.py", "pipelines/test_tested_misuse.py", "test_crash.py", "pipelines/test_real_data.py",
    "pipelines/test_cli.py", "pipelines/test_pfpo.py")
"""The slowest first. A file is one processor's: what starts last leaves the others with nothing to do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files start first, the others in the order they were found; no test depends on it."""
    place = {ROOT / "tests" / name: number for number, name in enumerate(SLOW_FILES)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets: WINNOW_SHARED_DATA, else ../shared/data beside the checkout; skips without it."""
    folder = Path(os.environ.get("WINNOW_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set WINNOW_SHARED_DATA to the folder that holds it")
    return folder


@pytest.fixture(autouse=True)
def apart_from_other_instances() -> Iterator[None]:
    """Dagster keeps an instance at hand in each process, at times one that an earlier test closed: begin with none."""
    if "dagster" not in sys.modules:
        yield
        return
    from dagster._core.storage.defs_state.base import set_defs_state_storage

    with set_defs_state_storage(None):
        yield
