"""The reply store: what is written comes back, from any process, and in any order of the records."""

import os
import time
from dataclasses import asdict
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.segments import SUFFIX, encode
from generators.store import Reply, ReplyStore
from schemas.errors import StoreError
from schemas.ids import shuffled

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
REQUEST: dict[str, Any] = {"engine": "e", "model": "m", "revision": None, "messages": [], "params": {}, "schema": None}


def reply(request_id: str = "r", sample: int = 0, attempt: int = 0, **others: Any) -> Reply:
    fields: dict[str, Any] = {
        "seed": 1, "engine": "e", "model": "m", "revision": None, "endpoint": "http://h:1/v1", "status": "ok",
        "body": {"text": "hi"}, "error": None, "http_status": 200, "at": 1.5, "latency_ms": 2.0,
    }
    return Reply(request_id=request_id, sample=sample, attempt=attempt, **(fields | others))


def failed(**others: Any) -> Reply:
    return reply(**({"status": "error", "body": None, "error": "cut off", "http_status": None} | others))


@settings(max_examples=60, deadline=None)
@given(bodies=st.lists(JSON, min_size=1, max_size=5))
def test_any_json_body_comes_back_as_it_was_even_in_another_process(bodies: list[Any], tmp_path_factory: Any) -> None:
    root = tmp_path_factory.mktemp("store")
    with ReplyStore.open(root) as store:
        for n, body in enumerate(bodies):
            store.put(reply(sample=n, body=body))
        for n, body in enumerate(bodies):
            assert store.get("r", n, 0) == reply(sample=n, body=body)
    with ReplyStore.open(root) as store:
        assert [r.body for r in store.replies_of("r")] == bodies
        assert store.notes == []


def test_a_key_of_another_sample_or_attempt_is_another_reply(tmp_path: Path) -> None:
    with ReplyStore.open(tmp_path) as store:
        store.put(reply("a", 1, 0))
        assert store.has("a", 1, 0)
        assert not any(store.has(*key) for key in [("a", 0, 1), ("a", 0, 0), ("a", 1, 1), ("b", 1, 0), ("a", 2, 0)])
        assert store.get("a", 0, 1) is None


def test_a_body_of_many_pages_comes_back_whole(tmp_path: Path) -> None:
    body = ["é\n" * 300_000, "x" * 8192]
    with ReplyStore.open(tmp_path) as store:
        store.put(reply(body=body))
        store.put(reply(sample=1))
        assert store.get("r", 0, 0) == reply(body=body)


def test_a_request_is_written_once_and_links_every_prompt_that_led_to_it(tmp_path: Path) -> None:
    with ReplyStore.open(tmp_path) as store:
        for prompt_id in ["p1", "p2", "p1"]:
            store.put_request("r1", REQUEST, prompt_id)
        store.put_request("r2", REQUEST | {"model": "n"}, "p1")
        size = sum(path.stat().st_size for path in tmp_path.glob("segments/*"))
        store.put_request("r2", REQUEST | {"model": "n"}, "p1")
        assert sum(path.stat().st_size for path in tmp_path.glob("segments/*")) == size
    with ReplyStore.open(tmp_path) as store:
        assert store.requests_of("p1") == ["r1", "r2"]
        assert store.requests_of("p2") == ["r1"]
        assert store.requests_of("p3") == []
        assert store.request("r2") == REQUEST | {"model": "n"}
        assert store.request("r3") is None
        assert [s.record["kind"] for s in store.records()] == ["request", "link", "link", "request", "link"]


def test_credentials_and_queries_of_an_endpoint_never_reach_the_disk(tmp_path: Path) -> None:
    with ReplyStore.open(tmp_path) as store:
        store.put(reply(endpoint="https://me:secret@host:8/v1/chat?key=secret"))
        assert store.get("r", 0, 0) == reply(endpoint="https://host:8/v1/chat")
    assert b"secret" not in b"".join(path.read_bytes() for path in tmp_path.glob("segments/*"))


def test_two_open_stores_see_each_other_after_refresh(tmp_path: Path) -> None:
    with ReplyStore.open(tmp_path) as one, ReplyStore.open(tmp_path) as two:
        for n in range(50):
            writer, reader = (one, two) if n % 2 else (two, one)
            writer.put(reply(sample=n))
            assert not reader.has("r", n, 0)
            reader.refresh()
            assert reader.get("r", n, 0) == reply(sample=n)
            if n % 10 == 9:
                time.sleep(0.06)  # past the grain of the folder's clock, so that the quiet path is taken too


def test_a_new_segment_is_seen_even_when_the_clock_of_the_folder_stands_still(tmp_path: Path) -> None:
    tick = time.time_ns() + 10**10
    with ReplyStore.open(tmp_path) as one, ReplyStore.open(tmp_path) as two:
        os.utime(tmp_path / "segments", ns=(tick, tick))
        one.refresh()
        two.put(reply())
        os.utime(tmp_path / "segments", ns=(tick, tick))
        one.refresh()
        assert one.has("r", 0, 0)


def test_a_reader_follows_a_writer_from_segment_to_segment(tmp_path: Path) -> None:
    with ReplyStore.open(tmp_path, seal_bytes=2000) as writer, ReplyStore.open(tmp_path) as reader:
        for n in range(100):
            writer.put(reply(sample=n))
            reader.refresh()
            assert reader.get("r", n, 0) == reply(sample=n)
        assert len(list(tmp_path.glob(f"segments/*{SUFFIX}"))) > 10


def test_everything_is_found_after_many_puts_in_many_groups(tmp_path: Path) -> None:
    keys = [(f"r{n % 977}", n // 977, n % 3) for n in range(20_000)]
    with ReplyStore.open(tmp_path) as store:
        for n in shuffled(range(20_000), 0, "order of putting"):
            store.put(reply(*keys[n], seed=n))
        assert all(store.has(*key) for key in keys)
        assert not any(store.has(request_id, sample, 3) for request_id, sample, _ in keys)
        assert [r.seed for r in store.replies_of("r5")] == list(range(5, 20_000, 977))
        assert store.get(*keys[12_345]) == reply(*keys[12_345], seed=12_345)


def test_of_two_replies_with_one_key_the_answer_is_the_first_that_is_ok_in_any_order_of_writing(tmp_path: Path) -> None:
    same_key = [failed(at=1.0), reply(at=2.0, body="early"), reply(at=3.0, body="late")]
    for n, order in enumerate(permutations(same_key)):
        with ReplyStore.open(tmp_path / str(n)) as store:
            for each in order:
                store.put(each)
            assert store.get("r", 0, 0) == same_key[1]
            assert store.replies_of("r") == [same_key[1]]


@pytest.mark.parametrize("forget_first", [True, False])
def test_a_forget_record_names_one_reply_whatever_the_order_of_the_segments(tmp_path: Path, forget_first: bool) -> None:
    lines = [encode({"kind": "reply", **asdict(each)}) for each in (failed(), failed(at=9.0))]
    forget = encode({"kind": "forget", "request_id": "r", "sample": 0, "attempt": 0, "crc": lines[0][:8].decode()})
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments" / f"1{SUFFIX}").write_bytes(forget if forget_first else b"".join(lines))
    (tmp_path / "segments" / f"2{SUFFIX}").write_bytes(b"".join(lines) if forget_first else forget)
    for _ in ("by scanning", "by sidecar"):
        with ReplyStore.open(tmp_path) as store:
            assert store.get("r", 0, 0) == failed(at=9.0)
            assert [s.forgotten for s in store.records() if s.record["kind"] == "reply"] == [True, False]


def test_a_forgotten_reply_is_gone_here_and_in_stores_that_were_open_before(tmp_path: Path) -> None:
    with ReplyStore.open(tmp_path) as one, ReplyStore.open(tmp_path) as two:
        one.put(failed())
        two.refresh()
        assert two.has("r", 0, 0)
        two.forget(next(two.records()))
        one.refresh()
        for store in (one, two):
            assert not store.has("r", 0, 0)
            assert store.get("r", 0, 0) is None
        one.put(reply())
        two.refresh()
        assert two.get("r", 0, 0) == reply()


def test_a_stale_sidecar_is_not_believed(tmp_path: Path) -> None:
    with ReplyStore.open(tmp_path) as store:
        store.put(reply())
    segment = next(tmp_path.glob(f"segments/*{SUFFIX}"))
    with segment.open("ab") as file:
        file.write(encode({"kind": "link", "prompt_id": "p", "request_id": "r"}))
    with ReplyStore.open(tmp_path) as store:
        assert store.requests_of("p") == ["r"]
        assert store.has("r", 0, 0)


def test_opening_a_file_as_a_store_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    with pytest.raises(StoreError, match=r"cannot open the reply store .*store: (File exists|Not a directory)"):
        ReplyStore.open(tmp_path / "store")
