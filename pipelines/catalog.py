"""Finds the recipes: every file in this folder that sets `dataset = PreferenceDataset(...)`."""

import dataclasses
import difflib
import importlib
import re
import traceback
from pathlib import Path
from types import ModuleType

from assets.dataset import PreferenceDataset
from assets.rounds import unrolled
from schemas.errors import ConfigError, WinnowError

FOLDER = Path(__file__).parent
_SETS_DATASET = re.compile(r"^dataset\b.*=", re.MULTILINE)


def names() -> list[str]:
    """The datasets that can be built."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if _SETS_DATASET.search(path.read_text(encoding="utf-8")))


def load(name: str) -> PreferenceDataset:
    """The recipe in pipelines/<name>.py; ConfigError names what exists when there is none.

    Of a recipe in rounds, NAME and NAME_r0 are the first round, NAME_r1 is the next.
    """
    known, (base, number) = names(), _of_round(name)
    if name in known:
        return load_rounds(name)[0]
    if base in known:
        made = load_rounds(base)
        if number < len(made) and made[0].rounds:
            return made[number]
        raise ConfigError(f"{base} has no round {number}; it is built as {', '.join(one.slug for one in made)}")
    raise _unknown(name)


def load_rounds(name: str) -> list[PreferenceDataset]:
    """The recipe's rounds, each a dataset; the recipe alone where it has none."""
    return unrolled(_loaded(name))


def _of_round(name: str) -> tuple[str, int]:
    base, _, number = name.rpartition("_r")
    return (base, int(number)) if number.isdecimal() else (name, 0)


def _unknown(name: str) -> ConfigError:
    close = difflib.get_close_matches(name, names(), n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return ConfigError(f"no dataset is called {name!r}; there are {', '.join(names())}.{hint} "
                       f"A new one is one new file, pipelines/{name}.py; `winnow init {name}` writes it.")


def _loaded(name: str) -> PreferenceDataset:
    module = _imported(name)
    dataset = module.dataset
    if not isinstance(dataset, PreferenceDataset):
        raise ConfigError(f"pipelines/{name}.py: `dataset` is a {type(dataset).__name__}; "
                          "write dataset = PreferenceDataset(...)")
    if dataset.name != name:
        raise ConfigError(f"pipelines/{name}.py: the dataset is called {dataset.name!r}; give it the file's name")
    return dataclasses.replace(dataset, about=dataset.about or (module.__doc__ or "").strip(),
                               source=(FOLDER / f"{name}.py").read_text(encoding="utf-8"))


def _imported(name: str) -> ModuleType:
    """The recipe's module; a mistake in it is told with its line."""
    try:
        return importlib.import_module(f"pipelines.{name}")
    except ConfigError as error:
        raise ConfigError(f"{_place(name, error)}: {error}") from None
    except WinnowError:
        raise
    except Exception as error:  # a recipe is code: it can fail in every way
        raise ConfigError(f"{_place(name, error)}: {type(error).__name__}: {_told(error)}") from error


def _place(name: str, error: Exception) -> str:
    """The recipe's last line on the way to an error; of the file alone where it was never reached."""
    file = str(FOLDER / f"{name}.py")
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    if isinstance(error, SyntaxError) and error.filename == file:
        lines.append(error.lineno)
    return f"pipelines/{name}.py, line {lines[-1]}" if lines else f"pipelines/{name}.py"


def _told(error: Exception) -> str:
    """The error's message, with the word that was meant where there is one close to it."""
    if isinstance(error, SyntaxError):
        return f"{error.msg}: {(error.text or '').strip()}"
    told = str(error)
    unknown = re.search(r"unexpected keyword argument '(\w+)'", told)
    if unknown is None:
        return told
    if "PreferenceDataset" not in told:
        return f"{told}; docs/recipes.md lists the options of every operator"
    known = [field.name for field in dataclasses.fields(PreferenceDataset)]
    close = difflib.get_close_matches(unknown[1], known, n=1)
    return f"{told}; " + (f"did you mean {close[0]}?" if close else f"the keywords are {', '.join(known)}")


def load_all() -> list[PreferenceDataset]:
    """Every recipe, every round of those in rounds."""
    return [dataset for name in names() for dataset in load_rounds(name)]
