"""Keeps pyarrow from importing pandas, which takes up to a second of CPU and 50 MB, when nobody uses it."""

import sys
from types import ModuleType

import pyarrow as pa


class _Hidden:
    """Finds no pandas."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: ModuleType | None = None) -> None:
        """Called by every import."""
        if name == "pandas":
            raise ModuleNotFoundError(name)


def spare_pandas() -> None:
    """Let pyarrow look for pandas now, in vain: it looks once, by importing it, to know its objects in `pa.array`.

    Whoever imports pandas, and `to_pandas`, find it as ever.
    """
    if "pandas" not in sys.modules:
        sys.meta_path.insert(0, _Hidden)
        try:
            pa.array([])
        finally:
            sys.meta_path.remove(_Hidden)
