"""The identity of weights on this machine's disk: a digest of their files, so that replies never cross weights."""

import hashlib
import json
import os
from pathlib import Path

from schemas.errors import ConfigError
from schemas.ids import digest

_LARGE = 8 << 20
"""Files from this size on are read once: their sums are kept in WINNOW_HOME/weights.json."""
_NO_WEIGHTS = (".md", ".py", ".pyc", ".lock", ".log")
"""Beside a model's files there may be cards, scripts and leftovers that change no reply."""


def local(weights: str, beside: Path) -> Path | None:
    """Where weights lie on this disk, a relative path being relative to `beside`; None for the id of a hub.

    ConfigError where a path is meant that is not there: an id of a hub is one name, or two with a slash between.
    """
    path = beside / Path(weights).expanduser()
    if path.exists():
        return path.resolve()
    if weights[:1] in ("/", ".", "~") or weights.count("/") > 1 or weights.endswith((".gguf", ".safetensors", "/")):
        raise ConfigError(f"weights = '{weights}': there is no file or folder {path}; write the path of the model, "
                          "relative to the engines file, or its id at the hub")
    return None


def weights_digest(path: Path) -> str:
    """`sha256-` and 16 hexadecimal digits over the names and bytes of a model's files: a file, or all in a folder.

    Hidden files, cards and scripts do not count. ConfigError where there is nothing to count.
    """
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if _counts(file, path))
    if not files:
        raise ConfigError(f"weights {path}: the folder holds no files of a model")
    sums = [["" if file == path else file.relative_to(path).as_posix(), _sum(file)] for file in files]
    return f"sha256-{digest('weights', sums)[:16]}"


def _counts(file: Path, root: Path) -> bool:
    hidden = any(part.startswith((".", "__")) for part in file.relative_to(root).parts)
    return file.is_file() and not hidden and file.suffix not in _NO_WEIGHTS


def _sum(file: Path) -> str:
    stat = file.stat()
    if stat.st_size < _LARGE:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    key = f"{file.resolve()} {stat.st_size} {stat.st_mtime_ns} {stat.st_ino}"
    known = _known()
    if key not in known:
        with file.open("rb") as opened:
            known[key] = hashlib.file_digest(opened, "sha256").hexdigest()
        _remember(known)
    return known[key]


def _kept() -> Path:
    return Path(os.environ.get("WINNOW_HOME", "data")) / "weights.json"


def _known() -> dict[str, str]:
    try:
        found = json.loads(_kept().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _remember(known: dict[str, str]) -> None:
    """Keep the sums; where that fails, they are made again the next time."""
    kept = _kept()
    beside = kept.with_name(f"{kept.name}.{os.getpid()}")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(known, indent=1), encoding="utf-8")
        beside.replace(kept)
    except OSError:
        beside.unlink(missing_ok=True)
