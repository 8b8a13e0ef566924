"""One request over HTTP, and what its answer means: a reply, a failure to retry, a refusal, a reason to stop."""

import json
import ssl
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import orjson

from generators.engines import Engine, key_of
from generators.http import Headers, Http, NotReached, open_http
from generators.replies import Malformed, Said, parse_body, read_body
from schemas.errors import ConfigError

Kind = Literal["good", "bad", "full", "refused", "stop"]
"""A reply; a failure that may pass; no room now; refused for good; wrong for every request to this engine."""

_PASSING = (408, 409, 425)
_FULL = (429, 503, 529)
_GATEWAY = (408, 502, 504, 524)
"""From between us and the server, which may have worked."""
_LONGEST_WAIT_S = 86_400.0
_HIDDEN = "[key]"
_LEAST_KEY = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one try."""

    kind: Kind
    status: int | None = None
    body: Any = None
    """The server's JSON, without the key, where a reply came."""
    said: Said | None = None
    error: str = ""
    """`<kind>: <detail>`, without the key."""
    wait_s: float | None = None
    """What Retry-After asks for."""
    maybe_billed: bool = False
    """Whether the server may have worked, and may bill, although no reply came."""
    reached: bool = True
    """Whether there was a connection."""


class Wire:
    """One engine's connections; knows the key while requests are sent, and keeps it out of everything it returns."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._key: str | None = None
        self._http: Http | None = None

    @property
    def opened(self) -> bool:
        """Whether requests can be sent."""
        return self._http is not None

    def open(self) -> None:
        """Read the key and get ready; ConfigError where key or url are missing."""
        engine = self.engine
        if engine.url is None:
            raise ConfigError(f"engine '{engine.name}' has a command but no url: its server must be started first")
        self._key = key_of(engine)
        headers = {"Content-Type": "application/json"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        self._http = open_http(engine.url, headers)

    async def post(self, body: bytes) -> Answer:
        """Send one chat request."""
        assert self._http is not None, "opened first"
        try:
            status, headers, raw = await self._http.request("POST", "/chat/completions", body, self.engine.timeout_s)
        except OSError as error:
            return self._broken(error)
        return self._reply(raw) if status == 200 else self._refusal(status, raw, headers)

    async def alive(self) -> bool:
        """Whether the server answers GET /models at all."""
        try:
            return (await self._models())[0] < 500
        except OSError:
            return False

    async def models(self) -> list[str]:
        """The names the server offers; empty where it does not say."""
        try:
            offered = orjson.loads((await self._models())[1])["data"]
            return sorted(self.scrub(str(model["id"])) for model in offered)
        except (OSError, ValueError, LookupError, TypeError):
            return []

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close()

    async def _models(self) -> tuple[int, bytes]:
        assert self._http is not None, "opened first"
        status, _, body = await self._http.request("GET", "/models", b"", 5.0)
        return status, body

    def scrub(self, text: str) -> str:
        """The text without the key."""
        return text.replace(self._key, _HIDDEN) if self._key else text

    def __repr__(self) -> str:
        return f"Wire({self.engine.name!r})"

    def _reply(self, raw: bytes) -> Answer:
        try:
            body = self._without_key(raw, parse_body(raw))
            return Answer(kind="good", status=200, body=body, said=read_body(body))
        except (Malformed, ValueError) as error:
            return Answer(kind="bad", status=200, error=f"malformed: {self._line(str(error))}", maybe_billed=True)

    def _without_key(self, raw: bytes, body: Any) -> Any:
        """A reply without the key, however the server escaped it; a key of a few letters is a word, and stays."""
        if self._key is None or len(self._key) < _LEAST_KEY:
            return body
        if self._key.encode() not in raw and b"\\/" not in raw and b"\\u00" not in raw:
            return body
        return json.loads(json.dumps(body).replace(json.dumps(self._key)[1:-1], _HIDDEN))

    def _broken(self, error: OSError) -> Answer:
        if isinstance(error, ssl.SSLCertVerificationError):
            return Answer(kind="stop", error=f"certificate: {self._line(str(error))}")
        if isinstance(error, NotReached):
            return Answer(kind="bad", error=f"no connection: {self._line(str(error))}", reached=False)
        if isinstance(error, TimeoutError):
            return Answer(kind="bad", error=f"timeout: no reply within {self.engine.timeout_s:g} s", maybe_billed=True)
        return Answer(kind="bad", error=f"cut: {self._line(str(error) or type(error).__name__)}", maybe_billed=True)

    def _refusal(self, status: int, raw: bytes, headers: Headers) -> Answer:
        body = self.scrub(raw.decode(errors="replace"))
        message, code = _message(body)
        kind: Kind = "refused"
        if _hopeless(status, message.lower(), code):
            kind = "stop"
        elif status == 429 and "request too large" in message.lower():  # for the account, at any time
            kind = "refused"
        elif status in _FULL:
            kind = "full"
        elif status in _PASSING or status >= 500:
            kind = "bad"
        return Answer(kind=kind, status=status, error=f"HTTP {status}: {self._line(message)}",
                      wait_s=retry_after(headers), maybe_billed=status in _GATEWAY)

    def _line(self, text: str) -> str:
        return " ".join(self.scrub(text).split())[:300]


def retry_after(headers: Headers) -> float | None:
    """Seconds to wait, from retry-after-ms or from Retry-After in seconds or as an HTTP date."""
    try:
        if "retry-after-ms" in headers:
            wait = float(headers["retry-after-ms"]) / 1000
        elif "retry-after" in headers:
            value = headers["retry-after"]
            try:
                wait = float(value)
            except ValueError:
                wait = parsedate_to_datetime(value).timestamp() - time.time()
        else:
            return None
    except (ValueError, TypeError):
        return None
    return min(max(wait, 0.0), _LONGEST_WAIT_S) if wait == wait else None


def _message(body: str) -> tuple[str, str]:
    """The server's own words for an error, and its code."""
    try:
        found = orjson.loads(body)
        error = found.get("error", found)
        if isinstance(error, dict):
            return str(error.get("message", body)), str(error.get("code") or error.get("type") or "")
        return str(error), ""
    except (ValueError, AttributeError):
        return body or "no body", ""


def _hopeless(status: int, message: str, code: str) -> bool:
    """Whether the refusal holds for every request to the engine: key, account, address, model."""
    if status in (401, 402, 403, 404, 405, 407) or 200 < status < 400:
        return True
    if status == 429:
        return code == "insufficient_quota"
    unknown = "model" in message and any(words in message for words in ("not exist", "not found", "unknown model"))
    return status == 400 and (code == "model_not_found" or unknown)


