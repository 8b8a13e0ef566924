"""DRAWERS: rows of messages, however many: in memory while they are few, then on disk, the same conversation together.

What lies on disk lies in files without a name, so that nothing of it is left when the process ends, however it ends.
"""

import tempfile
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import polars as pl
import pyarrow as pa

_HELD = 32 << 20
"""Bytes of rows that are held in memory."""
_DRAWERS = 64
_SHARE = 256 // _DRAWERS


class Drawers:
    """Rows that have a column `conv_id`, of hex digits."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder` is on a disk with room for the rows; by default that of temporary files."""
        self._folder = folder
        self._held: list[pl.DataFrame] = []
        self._bytes = 0
        self._files: list[IO[bytes]] = []
        self._writers: list[Any] = []

    def put(self, rows: pl.DataFrame) -> None:
        """Put rows behind those that are here."""
        self._held.append(rows)
        self._bytes += int(rows.estimated_size())
        if self._bytes > _HELD:
            self._to_disk()

    def pieces(self) -> Iterator[pl.DataFrame]:
        """All rows, in pieces of whole conversations, by the beginnings of their ids; each as they were put.

        Nothing can be put any more.
        """
        if not self._files:
            yield pl.concat(self._held)
            return
        if self._held:
            self._to_disk()
        for writer in self._writers:
            writer.close()
        self._writers = []
        for file in self._files:
            file.seek(0)
            with pa.ipc.open_stream(file) as stream:
                yield pl.DataFrame(pl.from_arrow(stream.read_all()))

    def _to_disk(self) -> None:
        rows = pl.concat(self._held)
        self._held, self._bytes = [], 0
        if not self._files:
            self._open(rows.to_arrow().schema)
        number = pl.col("conv_id").str.head(2).str.to_integer(base=16) // _SHARE
        for (drawer,), part in rows.with_columns(_drawer=number).group_by("_drawer", maintain_order=True):
            self._writers[int(str(drawer))].write_table(part.drop("_drawer").to_arrow())

    def _open(self, schema: pa.Schema) -> None:
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
        self._files = [tempfile.TemporaryFile(dir=self._folder) for _ in range(_DRAWERS)]  # noqa: SIM115 - see below
        packed = pa.ipc.IpcWriteOptions(compression="zstd")
        self._writers = [pa.ipc.new_stream(file, schema, options=packed) for file in self._files]
        weakref.finalize(self, _close, self._files)


def _close(files: Sequence[IO[bytes]]) -> None:
    for file in files:
        file.close()
