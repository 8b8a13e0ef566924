"""The laws of the house that no linter holds: who owns our names, what rooms import, how big files grow."""

import ast
import importlib.util
import statistics
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import SLOW_FILES, pytest_collection_modifyitems

ROOT = Path(__file__).parent.parent
ROOMS = (
    "schemas", "privacy", "generators", "filters", "feedback", "preferences", "audits", "exports", "assets",
    "pipelines", "trainers",
)
STANDING = [room for room in ROOMS if (ROOT / room / "__init__.py").exists()]
MODULES = [path for room in STANDING for path in sorted((ROOT / room).rglob("*.py"))]
FILE_LINES = 400
FUNCTION_LINES = 60
LAYERS = [room for room in ROOMS if room != "trainers"]


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


def imports(path: Path) -> Iterator[str]:
    """Every module a file imports, at any depth of nesting."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function's place and its lines."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", lines


@pytest.mark.parametrize("room", STANDING)
def test_a_room_is_found_in_the_checkout_and_nowhere_else(room: str) -> None:
    found = importlib.util.find_spec(room)
    assert found is not None
    assert found.origin is not None
    assert Path(found.origin).is_relative_to(ROOT), f"{room} is taken by {found.origin}: uninstall what owns it"


def test_no_other_distribution_owns_a_name_of_ours() -> None:
    owners = packages_distributions()
    foreign = {room: owners[room] for room in ROOMS if set(owners.get(room, [])) - {"winnow"}}
    assert not foreign


def test_schemas_need_the_standard_library_and_pyarrow_only() -> None:
    allowed = {*sys.stdlib_module_names, "pyarrow", "schemas"}
    strangers = {(path.name, name) for path in (ROOT / "schemas").rglob("*.py") for name in imports(path)
                 if name.split(".")[0] not in allowed}
    assert not strangers


def test_a_room_imports_only_what_stands_to_its_right() -> None:
    # import-linter holds this too, for module-level imports; this also sees the imports inside functions.
    wrong = [f"{path.relative_to(ROOT)} imports {name}" for path in MODULES if room_of(path) in LAYERS
             for name in imports(path) if (other := name.split(".")[0]) in ROOMS
             and (other not in LAYERS or LAYERS.index(other) > LAYERS.index(room_of(path)))]
    assert not wrong


def test_only_assets_pipelines_and_the_trainers_definitions_know_dagster() -> None:
    knowing = [path.relative_to(ROOT) for path in MODULES
               if any(name.split(".")[0] == "dagster" for name in imports(path))]
    wrong = [path for path in knowing if path.parts[0] not in {"assets", "pipelines"}
             and path != Path("trainers/definitions.py")]
    assert not wrong


def test_a_trainers_worker_imports_no_room_but_schemas() -> None:
    workers = [path for path in MODULES if path.relative_to(ROOT).parts[:2] == ("trainers", "worker")]
    wrong = [(path.name, name) for path in workers for name in imports(path)
             if name.split(".")[0] in set(ROOMS) - {"schemas", "trainers"}]
    assert not wrong


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_says_in_its_first_line_what_it_is_and_stays_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith('"""'), f"{path} does not open with a docstring"
    assert ast.get_docstring(parsed(path)), f"{path} has an empty docstring"
    assert len(text.splitlines()) <= FILE_LINES
    assert [place for place, lines in functions(path) if lines > FUNCTION_LINES] == []


def test_files_and_functions_are_short_as_a_rule() -> None:
    assert statistics.median(len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES) <= 110
    assert statistics.median(lines for path in MODULES for _, lines in functions(path)) <= 10


def test_slow_test_files_exist_and_start_first_and_the_others_keep_their_order() -> None:
    slow, others = [ROOT / "tests" / name for name in SLOW_FILES], [ROOT / "tests" / "b.py", ROOT / "tests" / "a.py"]
    assert [path for path in slow if not path.is_file()] == []
    items = [SimpleNamespace(path=path) for path in (others[0], *reversed(slow), others[1])]
    pytest_collection_modifyitems(items)
    assert [item.path for item in items] == [*slow, *others]


def test_no_module_turns_its_annotations_into_strings() -> None:
    # Dagster reads them at run time: string annotations break assets and their configs.
    assert [path for path in MODULES if "__future__" in set(imports(path))] == []


def test_the_command_line_starts_without_torch_datasets_or_dagster() -> None:
    if importlib.util.find_spec("pipelines") is None or importlib.util.find_spec("pipelines.cli") is None:
        pytest.skip("pipelines/cli.py does not exist yet")
    heavy = {"torch", "datasets", "dagster", "matplotlib"}
    code = "import pipelines.cli, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert heavy.isdisjoint(loaded.split())
