"""The reply store: every model reply, as it came, once; shared by all builds of a machine, copied to a remote.

Each process appends checksummed lines to a segment of its own, so a reply is safe from process death as soon as `put`
returns. Sealed segments never change. An index in memory says where each record lies; bodies are read when asked for.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import Any

from generators.locks import Claims, Presence
from generators.mirror import Mirror
from generators.segments import SIDECAR, claim_number, encode, link_key, prompt_group, reply_key, request_key, scan
from generators.shelf import Shelf, Stored
from generators.writer import Writer
from schemas.errors import StoreError

SEAL_BYTES = 8 << 20
SEAL_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One reply of a model server, or the final failure to get one."""

    request_id: str
    sample: int
    attempt: int
    seed: int
    engine: str
    model: str
    revision: str | None
    endpoint: str
    """Scheme, host, port and path; credentials and queries are cut off."""
    status: str
    """ok or error."""
    body: Any | None
    """The server's JSON as it came; null when status is error."""
    error: str | None
    http_status: int | None
    at: float
    """When it came, in Unix seconds."""
    latency_ms: float


_FIELDS = tuple(Reply.__dataclass_fields__)
_VALUES = attrgetter(*_FIELDS)


class ReplyStore:
    """A folder of segments with an index in memory; correct use is claim, refresh, get, (send, put), release."""

    def __init__(self, root: Path, remote: str | None, seal_bytes: int, seal_s: float) -> None:
        self.root = root
        self._folder = root / "segments"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._writer: Writer | None = None
        self._writing, self._sending = threading.RLock(), threading.RLock()
        self._seal_bytes, self._seal_s = seal_bytes, seal_s
        self._mirror = Mirror(remote) if remote else None
        self._sent: dict[str, int] = {}
        self._stop = threading.Event()
        self._sender = threading.Thread(target=self._send_now_and_then, name="reply store", daemon=True)
        with ExitStack() as opened:
            self._presence = Presence(root)
            opened.callback(self._presence.close)
            self._claims = Claims(root / "claims")
            opened.callback(self._claims.close)
            self._pull()
            self._shelf = Shelf(self._folder)
            opened.callback(lambda: self._shelf.close())
            self._opened = opened.pop_all()
        if self._mirror:
            self._sender.start()

    @classmethod
    def open(cls, root: Path, remote: str | None = None, *, seal_bytes: int = SEAL_BYTES,
             seal_s: float = SEAL_SECONDS) -> "ReplyStore":
        """Open the store in the folder `root`, made when missing; `remote` is an fsspec URL that segments go to.

        Raises StoreError when folder or remote cannot be used, HeldError while another process prunes the store.
        """
        try:
            return cls(root, remote, seal_bytes, seal_s)
        except OSError as error:
            raise StoreError(f"cannot open the reply store {root}: {error.strerror}; check the folder") from error

    def __enter__(self) -> "ReplyStore":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            self.close()
        except StoreError as unsent:
            if error is None:
                raise
            error.add_note(str(unsent))

    @property
    def notes(self) -> list[str]:
        """What was found damaged or could not be copied, with file and offset; empty when all is well."""
        return self._shelf.notes

    def __len__(self) -> int:
        """How many records are indexed: requests, links and replies."""
        return len(self._shelf.index)

    def put_request(self, request_id: str, request: Mapping[str, Any], prompt_id: str) -> None:
        """Remember the request and that the prompt led to it; nothing is written when both are known."""
        data, rows = self._unknown(request_id, request, prompt_id)
        if rows:
            self._append(data, rows)

    def put(self, reply: Reply, request: Mapping[str, Any] | None = None, prompt_id: str = "") -> None:
        """Write a reply; once this returns, process death does not lose it. StoreError when the disk is full.

        With the request and its prompt, what `put_request` writes goes with it, in one write.
        """
        record = {"kind": "reply", **dict(zip(_FIELDS, _VALUES(reply), strict=True))}
        record["endpoint"] = _without_secrets(reply.endpoint)
        data, rows = (b"", []) if request is None else self._unknown(reply.request_id, request, prompt_id)
        rows.append((*reply_key(reply.request_id, reply.sample, reply.attempt), len(data)))
        self._append(data + encode(record), rows)

    def _unknown(self, request_id: str, request: Mapping[str, Any],
                 prompt_id: str) -> tuple[bytes, list[tuple[int, int, int]]]:
        """The records of a request and its link that are not stored yet: lines, and group, key, offset of each."""
        data, rows = b"", []
        own, link = request_key(request_id), link_key(prompt_id, request_id)
        if not self._shelf.has(*own):
            data = encode({"kind": "request", "request_id": request_id, "request": dict(request)})
            rows.append((*own, 0))
        if not self._shelf.has(*link):
            rows.append((*link, len(data)))
            data += encode({"kind": "link", "prompt_id": prompt_id, "request_id": request_id})
        return data, rows

    def get(self, request_id: str, sample: int, attempt: int) -> Reply | None:
        """The reply; of several with one key the first that is ok, else the first error; None when there is none."""
        found = self._shelf.find(*reply_key(request_id, sample, attempt))
        return _reply(min(found, key=_precedence).record) if found else None

    def has(self, request_id: str, sample: int, attempt: int) -> bool:
        """Whether `get` would find a reply."""
        return self._shelf.has(*reply_key(request_id, sample, attempt))

    def request(self, request_id: str) -> dict[str, Any] | None:
        """The canonical request: engine, model, revision, messages, params, schema."""
        found = self._shelf.find(*request_key(request_id))
        return found[0].record["request"] if found else None

    def requests_of(self, prompt_id: str) -> list[str]:
        """The requests that were made for a prompt, sorted."""
        entries = self._shelf.index.group(prompt_group(prompt_id))
        found = [stored for _, location in entries if (stored := self._shelf.read(location))]
        return sorted({stored.record["request_id"] for stored in found})

    def replies_of(self, request_id: str) -> list[Reply]:
        """The replies to a request, by sample and attempt."""
        group, own = request_key(request_id)
        keys = {key for key, _ in self._shelf.index.group(group) if key != own}
        found = [min(stored, key=_precedence) for key in keys if (stored := self._shelf.find(group, key))]
        return sorted((_reply(stored.record) for stored in found), key=lambda reply: (reply.sample, reply.attempt))

    def claim(self, request_id: str, sample: int, attempt: int) -> bool:
        """True when the key is ours to send; False when someone alive holds it, another task of this store included."""
        return self._claims.take(claim_number(request_id, sample, attempt))

    def release(self, request_id: str, sample: int, attempt: int) -> None:
        """Give a claimed key back, after `put` or when it is not to be sent."""
        self._claims.drop(claim_number(request_id, sample, attempt))

    def refresh(self) -> None:
        """See what other writers appended meanwhile; nearly free when nothing changed."""
        self._shelf.refresh()

    def forget(self, stored: Stored) -> None:
        """Count a reply record, as `records` gave it, no more; whoever asks again gets a new reply."""
        record = stored.record
        request_id, sample, attempt = record["request_id"], record["sample"], record["attempt"]
        named = {"kind": "forget", "request_id": request_id, "sample": sample, "attempt": attempt, "crc": stored.crc}
        group, key = reply_key(request_id, sample, attempt)
        self._append(encode(named), [], forget=(group, key, int(stored.crc, 16)))
        self._shelf.forget(group, key, int(stored.crc, 16))

    def records(self) -> Iterator[Stored]:
        """Every undamaged record, segment by segment in the order of their names; refresh first."""
        for segment in self._shelf.segments():
            yield from self._shelf.records(segment)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else has the store open meanwhile, and all that is at the remote is here; HeldError names who has."""
        with self._presence.alone(), self._sending:
            self._seal()
            self._reload()
            yield

    def rewrite(self, drop: Callable[[Stored], bool]) -> int:
        """Write each segment with records to drop anew without them, here and at the remote; the bytes freed.

        Call it inside `alone`. Damaged records of any segment go too, for nobody knows what they hold. A segment is
        replaced whole: whenever this is interrupted, each record to keep is still there.
        """
        freed = 0
        for old in self._shelf.segments():
            kept = b"".join(stored.line + b"\n" for stored in self._shelf.records(old) if not drop(stored))
            if len(kept) < (size := old.stat().st_size):
                self._replace(old, kept)
                freed += size - len(kept)
        self._reload()
        return freed

    def close(self) -> None:
        """Seal what was written and copy it to the remote; StoreError when the copy fails (it is made next time)."""
        if self._stop.is_set():
            return
        self._stop.set()
        with self._opened:
            if self._mirror:
                self._sender.join()
            self._seal()
            self._send()

    def _append(self, data: bytes, rows: list[tuple[int, int, int]], forget: tuple[int, ...] = ()) -> None:
        with self._writing:
            if self._writer is None:
                self._writer = Writer(self._folder)
                self._number = self._shelf.enlist(self._writer.path)
            offset = self._writer.append(data)
            for group, key, at in rows:
                self._writer.found.rows.extend((group, key, offset + at))
                self._shelf.add(self._number, offset + at, group, key)
            self._writer.found.forgets.extend(forget)
            if self._writer.size >= self._seal_bytes:
                self._seal()

    def _seal(self) -> None:
        with self._writing:
            if self._writer:
                self._shelf.finished.append(self._writer.path)
                self._writer.seal()
                self._writer = None

    def _replace(self, old: Path, kept: bytes) -> None:
        if kept:
            new = Writer(self._folder)
            try:
                new.append(kept)
            except StoreError:
                new.path.unlink()
                raise
            new.found = scan(kept, 0)
            new.seal()
            self._shelf.finished.append(new.path)
        self._send()
        if self._mirror:
            self._mirror.withdraw(old.name)
        for path in (old, old.with_suffix(SIDECAR)):
            path.unlink(missing_ok=True)

    def _reload(self) -> None:
        notes = self.notes
        self._shelf.close()
        self._pull()
        self._shelf = Shelf(self._folder)
        self._shelf.notes[:] = dict.fromkeys([*notes, *self._shelf.notes])

    def _pull(self) -> None:
        """Bring the remote's segments here, and delete those that were pruned elsewhere."""
        if not self._mirror:
            return
        self._sent, gone = self._mirror.sizes()
        for name in gone:
            (self._folder / name).unlink(missing_ok=True)
        for name, size in self._sent.items():
            here = self._folder / name
            if not here.exists() or here.stat().st_size < size:
                self._mirror.fetch(name, size, here)

    def _send_now_and_then(self) -> None:
        again = 0.0
        while not self._stop.wait(min(1.0, self._seal_s / 4)):
            with self._writing:
                if self._writer and time.monotonic() - self._writer.born >= self._seal_s:
                    self._seal()
            if time.monotonic() >= again:
                try:
                    self._send()
                except StoreError as error:
                    if str(error) not in self.notes:
                        self.notes.append(str(error))
                    again = time.monotonic() + self._seal_s

    def _send(self) -> None:
        with self._sending:
            while self._mirror and self._shelf.finished:
                path = self._shelf.finished[0]
                if self._sent.get(path.name) != (size := path.stat().st_size):
                    self._mirror.send(path)
                    self._sent[path.name] = size
                self._shelf.finished.pop(0)


def _reply(record: Mapping[str, Any]) -> Reply:
    return Reply(**{name: record[name] for name in _FIELDS})


def _precedence(stored: Stored) -> tuple[bool, float, str]:
    return stored.record["status"] != "ok", stored.record["at"], stored.crc


def _without_secrets(endpoint: str) -> str:
    return re.sub(r"//[^/@]*@", "//", endpoint.partition("?")[0]) if "@" in endpoint or "?" in endpoint else endpoint
