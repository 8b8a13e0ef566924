"""Buckets: objects found and read by URL as files are, without a copy; what fails in between is told, and fatal."""

import gzip
import hashlib
import json
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from generators.buckets import shown
from generators.files import files_of
from generators.records import Broken, Record, each_file, records
from schemas.errors import BucketError, ConfigError, InputError

BIG = 9 << 20
"""More than one block."""


@pytest.fixture(params=["file", "memory"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    (tmp_path / "bucket").mkdir()
    yield f"file://{tmp_path}/bucket" if request.param == "file" else f"memory://{tmp_path.name}/bucket"
    fsspec.filesystem("memory").store.clear()


def put(url: str, data: bytes) -> None:
    fs, path = fsspec.core.url_to_fs(url)
    fs.makedirs(path.rpartition("/")[0], exist_ok=True)
    fs.pipe_file(path, data)


def lines(*numbers: int) -> bytes:
    return b"".join(json.dumps({"n": number}).encode() + b"\n" for number in numbers)


def found(url: str) -> list[tuple[str, int]]:
    """The last parts of the places of the records a URL means, and what these hold."""
    told = [one for file in each_file(url) for one in file.records]
    assert all(isinstance(one, Record) for one in told)
    return [(one.place.rpartition("bucket/")[2], one.fields["n"]) for one in told if isinstance(one, Record)]


def test_globs_folders_and_single_objects_mean_what_they_mean_of_files(bucket: str) -> None:
    for name in ("b/2.jsonl", "a/1.jsonl", "0.jsonl", "a/b/3.json", "a/.hidden.jsonl"):
        put(f"{bucket}/{name}", lines(1))
    below = {url: [one.name.rpartition("bucket/")[2] for one in files_of(url)] for url in (
        bucket, f"{bucket}/**/*.jsonl", f"{bucket}/*/*.jsonl", f"{bucket}/a/1.jsonl", f"{bucket}/none.jsonl")}
    assert list(below.values()) == [["0.jsonl", "a/1.jsonl", "a/b/3.json", "b/2.jsonl"],
                                    ["0.jsonl", "a/1.jsonl", "b/2.jsonl"], ["a/1.jsonl", "b/2.jsonl"],
                                    ["a/1.jsonl"], []]


def test_an_object_whose_name_looks_like_a_pattern_is_itself(bucket: str) -> None:
    put(f"{bucket}/a[1].jsonl", lines(7))
    put(f"{bucket}/a1.jsonl", lines(8))
    assert found(f"{bucket}/a[1].jsonl") == [("a[1].jsonl, line 1", 7)]


def test_every_kind_of_file_is_read_as_from_a_folder(bucket: str) -> None:
    parquet, archive = BytesIO(), BytesIO()
    pq.write_table(pa.table({"n": [5, 6]}), parquet)
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("in/1.json", json.dumps([{"n": 1}]))
        files.writestr("page.html", "<p>")
    for name, data in {"a.jsonl": lines(1, 2), "b.jsonl.gz": gzip.compress(lines(3)), "c.csv": b"n\n4\n",
                       "d.parquet": parquet.getvalue(), "e.zip": archive.getvalue()}.items():
        put(f"{bucket}/{name}", data)
    assert [(place, int(n)) for place, n in found(bucket)] == [
        ("a.jsonl, line 1", 1), ("a.jsonl, line 2", 2), ("b.jsonl.gz, line 1", 3), ("c.csv, line 2", 4),
        ("d.parquet, row 1", 5), ("d.parquet, row 2", 6), ("e.zip/in/1.json, record 1", 1)]


def test_the_stamp_changes_with_the_object_and_the_digest_is_that_of_its_bytes(bucket: str) -> None:
    put(f"{bucket}/a.jsonl", lines(1))
    [before] = files_of(bucket)
    digest = before.sha256()
    assert files_of(bucket)[0].sha256() == digest == hashlib.sha256(lines(1)).hexdigest()
    assert [one.stamp for one in files_of(bucket)] == [before.stamp]
    put(f"{bucket}/a.jsonl", lines(1, 2))
    [after] = files_of(bucket)
    assert after.stamp != before.stamp
    assert after.sha256() == hashlib.sha256(lines(1, 2)).hexdigest()


def test_an_object_that_is_written_anew_while_it_is_read_stops_the_reading(bucket: str) -> None:
    put(f"{bucket}/a.jsonl", lines(*range(40)))
    [file] = each_file(f"{bucket}/a.jsonl")
    next(file.records)
    put(f"{bucket}/a.jsonl", lines(*range(100, 160)))
    with pytest.raises(BucketError, match=r"a\.jsonl: was written anew while it was read; run the command again"):
        list(file.records)


def test_a_missing_object_and_a_missing_package_are_told_with_what_to_do(bucket: str) -> None:
    with pytest.raises(InputError, match=r"nothing\.jsonl: there is no such object; check the bucket"):
        list(records(f"{bucket}/nothing.jsonl"))
    with pytest.raises(ConfigError, match=r"^nosuch://host/x: .*; write a URL of a protocol that fsspec knows"):
        files_of("nosuch://me:secret@host/x")
    with pytest.raises(ConfigError, match="URLs in URLs are not read, for some keep copies"):
        files_of("simplecache::memory://bucket/x")


@pytest.mark.parametrize(("url", "package"), [("s3://bucket/*.jsonl", "s3fs"), ("gs://bucket/*.jsonl", "gcsfs"),
                                              ("abfs://bucket/*.jsonl", "adlfs")])
def test_a_package_that_is_not_installed_is_named(url: str, package: str) -> None:
    if find_spec(package):
        pytest.skip(f"{package} is installed here")
    with pytest.raises(ConfigError, match=rf"{url[:8]}.*a package that is not installed.*; pip install {package}"):
        files_of(url)


def test_passwords_and_signatures_are_not_told() -> None:
    assert shown("s3://key:secret@bucket/a/*.json") == "s3://bucket/a/*.json"
    assert shown("403, url='https://host/a.json?X-Amz-Signature=abc&b=c'") == "403, url='https://host/a.json'"


class Server(SimpleHTTPRequestHandler):
    """Serves parts of files, as object stores do, and breaks off where it is told to."""

    after: int | None = None
    """How many bytes of an object can be read."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.is_dir():
            super().do_GET()
            return
        data = path.read_bytes()
        start, _, end = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        part = data[int(start):int(end or len(data)) + 1]
        self.send_response(206)
        self.send_header("Content-Length", str(len(part)))
        self.send_header("Content-Range", f"bytes {start}-{int(start) + len(part) - 1}/{len(data)}")
        self.end_headers()
        if type(self).after is not None and int(start) + len(part) > type(self).after:
            self.wfile.write(part[:100])
            self.close_connection = True
            return
        self.wfile.write(part)

    def end_headers(self) -> None:
        self.send_header("Accept-Ranges", "bytes")
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """A folder behind a web server of its own."""
    (tmp_path / "bucket").mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/bucket"
    server.shutdown()
    thread.join()
    server.server_close()
    Server.after = None


def test_a_web_server_is_read_in_blocks_and_its_page_of_links_is_a_listing(served: str, tmp_path: Path) -> None:
    long = b"".join(json.dumps({"n": number, "text": "x" * 1000}).encode() + b"\n" for number in range(BIG // 1000))
    (tmp_path / "bucket" / "b.jsonl").write_bytes(long)
    (tmp_path / "bucket" / "a.jsonl").write_bytes(lines(1))
    told = found(f"{served}/*.jsonl")
    assert told[:2] == [("a.jsonl, line 1", 1), ("b.jsonl, line 1", 0)]
    assert [n for _, n in told[1:]] == list(range(BIG // 1000))


def test_a_server_that_fails_in_the_middle_of_an_object_is_fatal_and_no_broken_record(served: str,
                                                                                    tmp_path: Path) -> None:
    long = b"".join(json.dumps({"n": number, "text": "x" * 1000}).encode() + b"\n" for number in range(BIG // 1000))
    (tmp_path / "bucket" / "b.jsonl").write_bytes(long)
    Server.after = 6 << 20
    read: list[Record | Broken] = []
    with pytest.raises(BucketError, match=r"bucket/b\.jsonl: cannot be read \(.*then run the command again"):
        read += (one for file in each_file(f"{served}/b.jsonl") for one in file.records)
    assert read
    assert all(isinstance(one, Record) for one in read)
