"""What `winnow store` does: count, price, export, ask failures again, delete."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from generators.engines import Engine
from generators.keeping import export, refresh_failed, summary, with_cost
from generators.pruning import Pruned, prune
from generators.segments import SUFFIX
from generators.store import Reply, ReplyStore
from schemas.errors import ConfigError, HeldError

HOUSE = Path(__file__).parents[2]


def body(tokens: tuple[int, int] | None = (10, 20), finish: str = "stop") -> dict[str, Any]:
    usage = {} if tokens is None else {"usage": {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}}
    return {"choices": [{"message": {"content": "hi"}, "finish_reason": finish}], **usage}


def reply(request_id: str, sample: int = 0, **others: Any) -> Reply:
    fields: dict[str, Any] = {
        "attempt": 0, "seed": 1, "engine": "small", "model": "m", "revision": None, "endpoint": "http://h:1/v1",
        "status": "ok", "body": body(), "error": None, "http_status": 200, "at": 100.0, "latency_ms": 2.0,
    }
    return Reply(request_id=request_id, sample=sample, **(fields | others))


def failed(request_id: str, sample: int = 0, **others: Any) -> Reply:
    return reply(request_id, sample, status="error", body=None, error="cut off", http_status=None, **others)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """Two prompts; `shared` was asked for both, `own` for the first only, `big` is another engine's for the second."""
    with ReplyStore.open(tmp_path / "store", seal_bytes=1000) as opened:
        for request_id, prompt_id in [("shared", "p1"), ("shared", "p2"), ("own", "p1"), ("big", "p2")]:
            opened.put_request(request_id, {"asks": request_id}, prompt_id)
        opened.put(reply("shared", 0))
        opened.put(reply("shared", 1, at=200.0, body=body((1, 2), "length")))
        opened.put(failed("own", at=300.0))
        opened.put(reply("big", 0, engine="big", model="n", revision="v1", body=body(None), at=400.0))
        yield opened


def test_the_summary_counts_what_was_put(store: ReplyStore) -> None:
    big, small = summary(store).rows(named=True)
    assert {k: big[k] for k in ("engine", "model", "revision")} == {"engine": "big", "model": "n", "revision": "v1"}
    assert (big["replies"], big["ok"], big["error"], big["unmetered"], big["prompt_tokens"]) == (1, 1, 0, 1, 0)
    assert small["revision"] is None
    assert (small["requests"], small["replies"], small["ok"], small["error"], small["truncated"]) == (2, 3, 2, 1, 1)
    assert (small["prompt_tokens"], small["completion_tokens"], small["unmetered"]) == (11, 22, 0)
    assert (small["first"], small["last"]) == (100.0, 300.0)
    lines = [s.line for s in store.records() if s.record["kind"] == "reply" and s.record["engine"] == "small"]
    assert small["bytes"] == sum(len(line) + 1 for line in lines)


def test_an_empty_store_has_an_empty_summary_of_the_same_columns(tmp_path: Path, store: ReplyStore) -> None:
    with ReplyStore.open(tmp_path / "empty") as empty:
        assert summary(empty).schema == summary(store).schema
        assert export(empty, tmp_path / "e.parquet") == 0
        assert pl.read_parquet(tmp_path / "e.parquet").height == 0


def test_a_cost_is_null_where_price_or_tokens_are_unknown(store: ReplyStore) -> None:
    names = ("small", "big")
    priced = {n: Engine(name=n, model="m", url="http://h", price_in=100.0, price_out=1000.0) for n in names}
    unpriced = {"small": Engine(name="small", model="m", url="http://h")}
    assert with_cost(summary(store), priced)["cost"].to_list() == [None, pytest.approx((11 * 100 + 22 * 1000) / 1e6)]
    assert with_cost(summary(store), priced)["currency"].to_list() == [None, "USD"]
    assert with_cost(summary(store), unpriced)["cost"].to_list() == [None, None]


def test_the_export_has_every_reply_with_its_request_and_prompts(store: ReplyStore, tmp_path: Path) -> None:
    assert export(store, tmp_path / "out.jsonl") == 4
    assert export(store, tmp_path / "out.parquet") == 4
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(r["request_id"], r["sample"], r["prompt_ids"]) for r in rows] == [
        ("big", 0, ["p2"]), ("own", 0, ["p1"]), ("shared", 0, ["p1", "p2"]), ("shared", 1, ["p1", "p2"])]
    assert rows[2]["request"] == {"asks": "shared"}
    assert rows[3]["body"] == body((1, 2), "length")
    table = pl.read_parquet(tmp_path / "out.parquet").to_dicts()
    for row in table:
        row["request"], row["body"] = json.loads(row["request"]), json.loads(row["body"])
    assert table == rows


def test_an_export_of_another_kind_is_refused(store: ReplyStore, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"out.csv: the name must end in .jsonl or .parquet"):
        export(store, tmp_path / "out.csv")


@pytest.mark.parametrize(("truncated", "gone"), [(False, {("own", 0)}), (True, {("own", 0), ("shared", 1)})])
def test_only_failed_replies_are_asked_again(store: ReplyStore, truncated: bool, gone: set[tuple[str, int]]) -> None:
    keys = [("shared", 0), ("shared", 1), ("own", 0), ("big", 0)]
    assert refresh_failed(store, truncated) == len(gone)
    assert {key for key in keys if not store.has(*key, 0)} == gone
    assert refresh_failed(store, truncated) == 0
    assert summary(store)["forgotten"].sum() == len(gone)
    store.put(reply("own"))
    assert store.get("own", 0, 0) == reply("own")


def text(root: Path) -> str:
    return "".join(path.read_text() for path in root.glob(f"segments/*{SUFFIX}"))


def test_deleting_a_prompt_deletes_all_that_no_other_prompt_led_to(store: ReplyStore) -> None:
    pruned = prune(store, prompt_ids=["p1"])
    assert (pruned.requests, pruned.links, pruned.replies) == (1, 2, 1)
    assert store.requests_of("p1") == []
    assert store.requests_of("p2") == ["big", "shared"]
    assert store.request("own") is None
    assert not store.has("own", 0, 0)
    assert len(store.replies_of("shared")) == 2
    assert '"p1"' not in text(store.root)
    assert '"own"' not in text(store.root)
    prune(store, prompt_ids=["p2"])
    assert text(store.root) == ""


def test_deleting_by_age_or_engine_keeps_the_rest(store: ReplyStore) -> None:
    assert prune(store, older_than_s=50.0, engine="big", now=400.0) == Pruned(requests=0, links=0, replies=0, bytes=0)
    pruned = prune(store, older_than_s=250.0, now=400.0)
    assert (pruned.requests, pruned.links, pruned.replies) == (0, 0, 1)
    assert not store.has("shared", 0, 0)
    assert store.has("shared", 1, 0)
    before = len(text(store.root))
    pruned = prune(store, engine="big")
    assert (pruned.requests, pruned.links, pruned.replies) == (1, 1, 1)
    assert before - len(text(store.root)) == pruned.bytes
    assert store.requests_of("p2") == ["shared"]


def test_pruning_forgets_for_good_what_was_forgotten(store: ReplyStore) -> None:
    refresh_failed(store)
    assert '"forget"' in text(store.root)
    prune(store, engine="nobody's")
    assert '"forget"' not in text(store.root)
    assert '"cut off"' not in text(store.root)
    with ReplyStore.open(store.root) as again:
        assert not again.has("own", 0, 0)
        assert again.has("shared", 0, 0)


def test_a_store_that_was_pruned_goes_on_working(store: ReplyStore) -> None:
    prune(store, prompt_ids=["p1"])
    store.put_request("own", {"asks": "own"}, "p3")
    store.put(reply("own"))
    with ReplyStore.open(store.root) as again:
        assert again.get("own", 0, 0) == reply("own")
        assert again.get("shared", 1, 0) == store.get("shared", 1, 0)


@pytest.mark.parametrize("choice", [{}, {"engine": "small", "prompt_ids": ["p1"]}])
def test_pruning_without_or_with_two_choices_is_refused(store: ReplyStore, choice: dict[str, Any]) -> None:
    before = text(store.root)
    with pytest.raises(ConfigError, match="nothing was deleted"):
        prune(store, **choice)
    assert text(store.root) == before


def test_pruning_is_refused_while_another_process_has_the_store_open_and_names_it(store: ReplyStore) -> None:
    code = f"""
import sys
from pathlib import Path
from generators.store import ReplyStore
store = ReplyStore.open(Path({str(store.root)!r}))
print("open", flush=True)
sys.stdin.readline()
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=HOUSE, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == "open\n"
        with pytest.raises(HeldError, match=f"is open in process {other.pid}; wait or stop it"):
            prune(store, prompt_ids=["p1"])
        assert store.requests_of("p1") == ["own", "shared"]
        other.kill()
    assert prune(store, prompt_ids=["p1"]).replies == 1


def test_a_store_that_is_being_pruned_cannot_be_opened(store: ReplyStore) -> None:
    with store.alone(), pytest.raises(HeldError, match=f"is being pruned by process {os.getpid()}"):
        ReplyStore.open(store.root)
    ReplyStore.open(store.root).close()
