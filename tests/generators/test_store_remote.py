"""The reply store's remote copy: nothing is let go before it is confirmed, and a fresh machine finds everything."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]
import pytest
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

from generators.keeping import refresh_failed
from generators.mirror import Mirror
from generators.pruning import prune
from generators.segments import SUFFIX
from generators.store import Reply, ReplyStore
from schemas.errors import StoreError


def reply(request_id: str, sample: int = 0, status: str = "ok") -> Reply:
    return Reply(request_id=request_id, sample=sample, attempt=0, seed=1, engine="e", model="m", revision=None,
                 endpoint="http://h:1/v1", status=status, body={"of": request_id}, error=None, http_status=200, at=1.5,
                 latency_ms=2.0)


@pytest.fixture(params=["file", "memory"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    yield f"file://{tmp_path}/remote" if request.param == "file" else f"memory://{tmp_path.name}/store"
    fsspec.filesystem("memory").store.clear()


def there(remote: str) -> dict[str, int]:
    return Mirror(remote).sizes()[0]


def until(holds: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def test_a_fresh_machine_reads_everything_from_the_remote_alone(tmp_path: Path, remote: str) -> None:
    with ReplyStore.open(tmp_path / "a", remote, seal_bytes=3000) as store:
        for n in range(40):
            store.put_request(f"r{n}", {"n": n}, "p")
            store.put(reply(f"r{n}"))
    assert len(there(remote)) > 3
    with ReplyStore.open(tmp_path / "b", remote) as store:
        assert [store.get(f"r{n}", 0, 0) for n in range(40)] == [reply(f"r{n}") for n in range(40)]
        assert store.request("r7") == {"n": 7}
        assert len(store.requests_of("p")) == 40
        assert store.notes == []
        store.put(reply("r40"))
    with ReplyStore.open(tmp_path / "a", remote) as store:
        assert store.get("r40", 0, 0) == reply("r40")


def test_a_segment_is_copied_while_the_store_is_open_when_it_is_old_enough(tmp_path: Path, remote: str) -> None:
    with ReplyStore.open(tmp_path / "a", remote, seal_s=0.1) as store:
        store.put(reply("r0"))
        until(lambda: len(there(remote)) == 1)
        store.put(reply("r1"))
        until(lambda: len(there(remote)) == 2)
        assert store.get("r0", 0, 0) == reply("r0")
    with ReplyStore.open(tmp_path / "b", remote) as store:
        assert store.has("r0", 0, 0)
        assert store.has("r1", 0, 0)


def test_what_a_dead_process_left_is_copied_by_the_next_one(tmp_path: Path, remote: str) -> None:
    with ReplyStore.open(tmp_path / "a") as store:
        store.put(reply("r0"))
    assert there(remote) == {}
    ReplyStore.open(tmp_path / "a", remote).close()
    with ReplyStore.open(tmp_path / "b", remote) as store:
        assert store.get("r0", 0, 0) == reply("r0")


def test_a_copy_that_arrives_cut_is_not_taken_for_sent(
    tmp_path: Path, remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ReplyStore.open(tmp_path / "a") as store:
        store.put(reply("r0"))
    (segment,) = (tmp_path / "a").glob(f"segments/*{SUFFIX}")
    half = tmp_path / "half"
    half.write_bytes(segment.read_bytes()[:100])
    kind = type(Mirror(remote)._fs)
    real = kind.put_file
    monkeypatch.setattr(kind, "put_file", lambda self, here, goal, **_: real(self, str(half), goal))
    store = ReplyStore.open(tmp_path / "a", remote)
    with pytest.raises(StoreError, match="is not what was sent; the local one stays"):
        store.close()
    monkeypatch.undo()
    ReplyStore.open(tmp_path / "a", remote).close()
    assert there(remote) == {segment.name: segment.stat().st_size}


def test_a_remote_that_cannot_be_reached_is_told_without_its_password(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot open file://.*/file/x: .*; the replies here are kept"):
        ReplyStore.open(tmp_path / "a", f"file://{tmp_path}/file/x")
    with pytest.raises(StoreError) as caught:
        ReplyStore.open(tmp_path / "a", "nosuch://me:secret@host/x")
    assert "secret" not in str(caught.value)
    with ReplyStore.open(tmp_path / "a") as store, store.alone():
        pass  # what failed to open holds nothing


class Refusing(MemoryFileSystem):
    """A remote whose errors repeat the signed address that was asked for."""

    protocol = "refusing"

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        raise OSError("403 for https://host/x?X-Amz-Signature=5ec2e7")


def test_what_a_remote_refuses_is_told_without_the_signature_of_its_address(tmp_path: Path) -> None:
    fsspec.register_implementation("refusing", Refusing, clobber=True)
    with pytest.raises(StoreError, match="403 for https://host/x; the replies here") as caught:
        ReplyStore.open(tmp_path / "a", "refusing://x")
    assert caught.value.__cause__ is None


def test_a_forgotten_reply_is_forgotten_on_the_next_machine_too(tmp_path: Path, remote: str) -> None:
    with ReplyStore.open(tmp_path / "a", remote) as store:
        store.put(reply("r0", status="error"))
    with ReplyStore.open(tmp_path / "b", remote) as store:
        assert refresh_failed(store) == 1
    with ReplyStore.open(tmp_path / "a", remote) as store:
        assert not store.has("r0", 0, 0)


def test_what_is_pruned_on_one_machine_is_gone_everywhere_and_does_not_come_back(tmp_path: Path, remote: str) -> None:
    with ReplyStore.open(tmp_path / "a", remote) as store:
        for name in ("r0", "r1"):
            store.put_request(name, {"said by": name}, f"prompt of {name}")
            store.put(reply(name))
    ReplyStore.open(tmp_path / "b", remote).close()
    with ReplyStore.open(tmp_path / "b", remote) as store:
        assert prune(store, prompt_ids=["prompt of r0"]).replies == 1
    for machine in "abc":
        with ReplyStore.open(tmp_path / machine, remote) as store:
            assert store.get("r0", 0, 0) is None
            assert store.get("r1", 0, 0) == reply("r1")
        assert b"r0" not in b"".join(path.read_bytes() for path in (tmp_path / machine).glob(f"segments/*{SUFFIX}"))
    fs, folder = fsspec.core.url_to_fs(f"{remote}/segments")
    assert b"r0" not in b"".join(fs.cat_file(path) for path in fs.find(folder))
