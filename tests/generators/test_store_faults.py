"""The reply store when processes die, bytes rot, disks fill and two builds run at once."""

import os
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from generators.segments import SUFFIX
from generators.store import Reply, ReplyStore
from schemas.errors import StoreError

HOUSE = Path(__file__).parents[2]
HEAD = """
import sys, time
from pathlib import Path
from generators.store import Reply, ReplyStore
from schemas.errors import WinnowError
def reply(request_id, sample=0, attempt=0, body="x" * 300):
    return Reply(request_id=request_id, sample=sample, attempt=attempt, seed=1, engine="e", model="m", revision=None,
                 endpoint="http://h:1/v1", status="ok", body=body, error=None, http_status=200, at=1.5, latency_ms=2.0)
store = ReplyStore.open(Path(sys.argv[1]))
"""


def reply(request_id: str, sample: int = 0, attempt: int = 0, body: Any = "x" * 300) -> Reply:
    return Reply(request_id=request_id, sample=sample, attempt=attempt, seed=1, engine="e", model="m", revision=None,
                 endpoint="http://h:1/v1", status="ok", body=body, error=None, http_status=200, at=1.5, latency_ms=2.0)


@contextmanager
def python(code: str, *args: object) -> Iterator[subprocess.Popen[str]]:
    """A process that runs HEAD and the code; killed at the end if it still lives."""
    command = [sys.executable, "-c", HEAD + textwrap.dedent(code), *map(str, args)]
    with subprocess.Popen(command, cwd=HOUSE, text=True, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def out(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout
    return process.stdout


def segments(root: Path) -> list[Path]:
    return sorted(root.glob(f"segments/*{SUFFIX}"))


def written(root: Path, replies: int) -> Path:
    """The only segment of a new store with so many replies to r0, r1, ..."""
    with ReplyStore.open(root) as store:
        for n in range(replies):
            store.put(reply(f"r{n}"))
    (segment,) = segments(root)
    return segment


def fill(store: ReplyStore) -> int:
    """Put replies until the disk is full; how many it took."""
    taken: list[str] = []
    with pytest.raises(StoreError, match="No space left on device; free space"):
        _put_on_and_on(store, taken)
    return len(taken)


def _put_on_and_on(store: ReplyStore, taken: list[str]) -> None:
    while True:
        store.put(reply(f"r{len(taken)}"))
        taken.append("yes")


@pytest.mark.parametrize("moment", range(3))
def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(tmp_path: Path, moment: int) -> None:
    code = """
    n = 0
    while True:
        store.put_request(f"r{n}", {"n": n}, "p"); store.put(reply(f"r{n}"))
        print(n, flush=True)
        n += 1
    """
    with python(code, tmp_path) as writer:
        told = [int(out(writer).readline()) for _ in range(101 + 37 * moment)]
        writer.send_signal(signal.SIGKILL)
        told += [int(line) for line in out(writer).read().splitlines(keepends=True) if line.endswith("\n")]
    with ReplyStore.open(tmp_path) as store:
        assert [n for n in told if store.get(f"r{n}", 0, 0) != reply(f"r{n}")] == []
        assert [n for n in told if store.request(f"r{n}") != {"n": n}] == []
        assert set(store.requests_of("p")) >= {f"r{n}" for n in told}


@pytest.mark.parametrize("cut", [1, 2, 100, 330])
def test_a_torn_tail_is_ignored_and_reported(tmp_path: Path, cut: int) -> None:
    segment = written(tmp_path, 3)
    os.truncate(segment, segment.stat().st_size - cut)
    for _ in ("by scanning", "by sidecar"):
        with ReplyStore.open(tmp_path) as store:
            assert [store.has(f"r{n}", 0, 0) for n in range(3)] == [True, True, False]
            (note,) = store.notes
            assert str(segment) in note
            assert "torn" in note
            store.put(reply("r2", body="again"))
        _only(segment)


def _only(segment: Path) -> None:
    """Take the store's other segments away; by its name, as two made in one millisecond have no order."""
    (other,) = set(segments(segment.parents[1])) - {segment}
    other.unlink()


@pytest.mark.parametrize("where", ["crc", "json", "newline"])
def test_a_flipped_byte_in_the_middle_costs_its_record_only_and_is_reported(tmp_path: Path, where: str) -> None:
    segment = written(tmp_path, 5)
    data = bytearray(segment.read_bytes())
    lines = bytes(data).splitlines(keepends=True)
    start = sum(map(len, lines[:2]))
    data[{"crc": start + 3, "json": start + 120, "newline": start + len(lines[2]) - 1}[where]] ^= 1
    segment.write_bytes(data)
    lost = {"newline": {2, 3}}.get(where, {2})
    for _ in ("by scanning", "by sidecar"):
        with ReplyStore.open(tmp_path) as store:
            assert {n for n in range(5) if store.get(f"r{n}", 0, 0) != reply(f"r{n}")} == lost
            (note,) = store.notes
            assert str(segment) in note
            assert f"1 damaged record(s) skipped, at offset {start}" in note


def test_a_byte_that_rots_under_an_open_store_is_reported_and_asked_again(tmp_path: Path) -> None:
    with ReplyStore.open(tmp_path) as store:
        for n in range(3):
            store.put(reply(f"r{n}"))
        (segment,) = segments(tmp_path)
        line = len(segment.read_bytes()) // 3
        with segment.open("r+b") as file:
            file.seek(line + 50)
            file.write(b"\x00")
        assert [store.get(f"r{n}", 0, 0) is None for n in range(3)] == [False, True, False]
        assert not store.has("r1", 0, 0)
        assert f"{segment}: the record at offset {line} is damaged" in store.notes[0]
        store.put(reply("r1"))
        assert store.get("r1", 0, 0) == reply("r1")


def test_a_full_disk_is_told_with_path_and_remedy_and_costs_no_other_record(tmp_path: Path) -> None:
    code = """
    import resource
    store.put(reply("r0"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    for _ in range(2):
        try:
            store.put(reply("big", body="y" * 5000))
        except WinnowError as error:
            print(type(error).__name__, error)
    store.put(reply("r1", body="small"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    store.put(reply("r2"))
    print(store.has("big", 0, 0), [store.get(f"r{n}", 0, 0) is not None for n in range(3)])
    store.close()
    """
    with python(code, tmp_path) as process:
        told = out(process).read().splitlines()
    assert [line.split()[0] for line in told[:2]] == ["StoreError", "StoreError"]
    assert str(segments(tmp_path)[0]) in told[0]
    assert "free space" in told[0]
    assert told[2] == "False [True, True, True]"
    with ReplyStore.open(tmp_path) as store:
        assert store.notes == []
        assert [store.has(f"r{n}", 0, 0) for n in range(3)] == [True, True, True]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_really_full_file_system_keeps_what_it_took(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        with ReplyStore.open(small) as store:
            taken = fill(store)
            assert taken > 50
        with ReplyStore.open(small) as store:
            assert [n for n in range(taken) if store.get(f"r{n}", 0, 0) != reply(f"r{n}")] == []
            assert not any("damaged" in note or "torn" in note for note in store.notes)
    finally:
        subprocess.run(["umount", small], check=True)


def test_two_processes_send_each_of_500_keys_exactly_once(tmp_path: Path) -> None:
    code = """
    import random
    from itertools import count
    sent = count(1)
    print("ready", flush=True); sys.stdin.readline()
    left = [f"r{n}" for n in range(500)]
    random.Random(int(sys.argv[2])).shuffle(left)
    while left:
        key = left.pop()
        if not store.claim(key, 0, 0):
            left.insert(0, key)
            continue
        store.refresh()
        if not store.get(key, 0, 0):
            print(key, flush=True)
            if random.random() < 0.1: time.sleep(0.002)
            store.put(reply(key))
            if next(sent) == 25:
                Path(sys.argv[1], f"had a share {sys.argv[2]}").touch()
                while not all(Path(sys.argv[1], f"had a share {name}").exists() for name in (1, 2)):
                    time.sleep(0.001)
        store.release(key, 0, 0)
    store.close()
    """
    with python(code, tmp_path, 1) as one, python(code, tmp_path, 2) as two:
        for process in (one, two):
            assert out(process).readline() == "ready\n"
        for process in (one, two):
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        sent = [out(process).read().split() for process in (one, two)]
    assert min(map(len, sent)) >= 25, "both processes must have had a share"
    assert Counter(sent[0] + sent[1]) == Counter(f"r{n}" for n in range(500))


def test_a_claim_is_free_again_when_its_process_is_killed(tmp_path: Path) -> None:
    code = """
    print(store.claim("r", 0, 0), flush=True)
    time.sleep(600)
    """
    with python(code, tmp_path) as other, ReplyStore.open(tmp_path) as store:
        assert out(other).readline() == "True\n"
        assert not store.claim("r", 0, 0)
        assert store.claim("r", 0, 1)
        other.kill()
        other.wait()
        assert store.claim("r", 0, 0)


def test_a_claim_excludes_other_stores_and_tasks_of_the_same_process(tmp_path: Path) -> None:
    with ReplyStore.open(tmp_path) as one, ReplyStore.open(tmp_path) as two:
        assert one.claim("r", 0, 0)
        assert not one.claim("r", 0, 0)
        assert not two.claim("r", 0, 0)
        two.release("r", 0, 0)
        assert not two.claim("r", 0, 0), "only the holder can give a claim back"
        one.release("r", 0, 0)
        assert two.claim("r", 0, 0)


def test_an_interrupted_put_does_not_hurt_its_neighbours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write

    def interrupt_after(part: int | None) -> Any:
        def write(fd: int, data: bytes) -> int:
            real(fd, data[:part])
            raise KeyboardInterrupt
        return write

    with ReplyStore.open(tmp_path) as store:
        store.put(reply("r0"))
        for part, key in [(40, "cut"), (None, "whole")]:
            monkeypatch.setattr(os, "write", interrupt_after(part))
            with pytest.raises(KeyboardInterrupt):
                store.put(reply(key))
            monkeypatch.setattr(os, "write", real)
            store.put(reply(f"after-{key}"))
    for _ in ("by sidecar", "by scanning"):
        with ReplyStore.open(tmp_path) as store:
            keys = ["r0", "cut", "after-cut", "whole", "after-whole"]
            whole = ["r0", "after-cut", "whole", "after-whole"]
            assert [key for key in keys if store.get(key, 0, 0) == reply(key)] == whole
            assert store.notes == []
        for sidecar in tmp_path.glob("segments/*.index"):
            sidecar.unlink()
