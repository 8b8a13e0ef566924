"""The manifest: what a dataset folder holds, byte for byte; written last, so that its presence means complete."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from exports.shards import File
from exports.trl import Config
from schemas.errors import ExportError

MANIFEST = "manifest.json"
FORMAT = "winnow-dataset/1"


def manifest(name: str, configs: Sequence[Config], files: Sequence[File], build: str | None,
             digests: Mapping[str, str]) -> dict[str, Any]:
    """Name, build, digests, configs and files. No clock, host or absolute path: equal inputs give equal bytes."""
    return {
        "format": FORMAT,
        "name": name,
        "build": build,
        "digests": dict(sorted(digests.items())),
        "configs": {config.name: _config(config) for config in configs},
        "files": [asdict(file) for file in files],
    }


def _config(config: Config) -> dict[str, Any]:
    splits = config.rows["split"]
    return {
        "rows": config.rows.height,
        "splits": {side: int((splits == side).sum()) for side in ("train", "test") if (splits == side).any()},
        "columns": list(config.columns),
        "table": config.table.name,
        "version": config.table.version,
    }


def write_manifest(told: Mapping[str, Any], folder: Path) -> None:
    """Write the manifest into the folder."""
    text = json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / MANIFEST).write_bytes(text.encode() + b"\n")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a dataset folder; ExportError where there is none or it is not ours."""
    path = folder / MANIFEST
    try:
        told = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ExportError(f"{folder} has no {MANIFEST}: it is no dataset, or was not written to the end") from None
    except ValueError as error:
        raise ExportError(f"{path} is not JSON ({error}); export the dataset again") from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise ExportError(f"{path} is not a manifest of format {FORMAT}; export the dataset again")
    return told
