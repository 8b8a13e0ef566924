"""HTTP/1.1 as a model client needs it: few kinds of requests to one server, thousands of times, for little CPU.

aiohttp spends 0.31 CPU seconds on a thousand requests, much of it on what we do not use (redirects, cookies,
middleware, streams); connections of our own with httptools as their parser spend 0.13 (docs/adr/0006). They serve
plain http, which is what model servers of one's own speak; https and proxies are left to aiohttp.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping
from typing import Protocol, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httptools

_FRESH_S = 4.0
"""Idle connections older than this are not used again: servers close theirs after five seconds and more."""
_MOST_HEAD = 1 << 16
_FRAMES = {"content-length", "transfer-encoding"}
"""Headers that say where a body ends."""

Headers = dict[str, str]
Response = tuple[int, Headers, bytes]
"""Status, headers by lower-case name, body."""


class Http(Protocol):
    """Sends requests to one server; raises OSError (ConnectionError where it was reached) and TimeoutError."""

    async def request(self, method: str, path: str, body: bytes, timeout_s: float) -> Response:
        """Send one request; the path is below the server's base URL."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class NotReached(OSError):
    """No connection could be made; nothing was sent."""


def open_http(url: str, headers: Mapping[str, str]) -> Http:
    """A client of the server at the base URL, which sends the headers with each request."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxied = (host not in ("127.0.0.1", "localhost", "::1") and parts.scheme in getproxies()
               and not proxy_bypass(host))
    return ByLibrary(url, headers) if proxied or parts.scheme == "https" else Direct(url, headers)


class Direct:
    """Connections of our own, each with one request at a time, kept for the next."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._base = parts.path
        named = {"Host": parts.netloc, "Accept": "application/json", "Accept-Encoding": "identity",
                 "User-Agent": "winnow", **headers}
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        self._idle: deque[tuple[float, Exchange]] = deque()
        self._all: set[Exchange] = set()

    async def request(self, method: str, path: str, body: bytes, timeout_s: float) -> Response:
        """Send one request and wait for the whole answer."""
        exchange = self._reusable() or await self._connect(timeout_s)
        head = f"{method} {self._base}{path} HTTP/1.1\r\n{self._headers}Content-Length: {len(body)}\r\n\r\n"
        try:
            response = await exchange.ask(head.encode() + body, timeout_s)
        except BaseException:
            exchange.drop()
            raise
        if exchange.reusable:
            self._idle.append((exchange.loop.time(), exchange))
        else:
            exchange.drop()
        return response

    async def close(self) -> None:
        """Close all connections."""
        for exchange in self._all:
            exchange.drop()
        for _ in range(100):
            if not self._all:
                break
            await asyncio.sleep(0.001)  # until the loop has let go of each

    def _reusable(self) -> "Exchange | None":
        """The connection that was used last, if it is still good."""
        while self._idle:
            since, exchange = self._idle.pop()
            if exchange.reusable and exchange.loop.time() - since < _FRESH_S:
                return exchange
            exchange.drop()
        return None

    async def _connect(self, timeout_s: float) -> "Exchange":
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(min(10.0, timeout_s)):
                _, exchange = await loop.create_connection(
                    lambda: Exchange(loop, self._all), self._host, self._port)
        except TimeoutError:
            raise NotReached(f"{self._host}:{self._port} does not answer") from None
        except OSError as error:
            raise NotReached(f"{self._host}:{self._port}: {error.strerror or error}") from error
        return exchange


class Exchange(asyncio.Protocol):
    """One connection: a request goes out, a response comes in, which httptools (llhttp) parses."""

    def __init__(self, loop: asyncio.AbstractEventLoop, standing: "set[Exchange]") -> None:
        self.loop, self._standing = loop, standing
        self.reusable = False
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Response] | None = None
        self._begin()

    async def ask(self, request: bytes, timeout_s: float) -> Response:
        """Send the request; the response, or ConnectionError or TimeoutError."""
        assert self._transport is not None, "connected first"
        self._begin()
        self.reusable = False
        self._waiting = self.loop.create_future()
        timer = self.loop.call_later(timeout_s, self._fail, TimeoutError())
        try:
            self._transport.write(request)
            return await self._waiting
        finally:
            timer.cancel()
            self._waiting = None

    def drop(self) -> None:
        """Close the connection."""
        self.reusable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast(asyncio.Transport, transport)
        self._standing.add(self)

    def data_received(self, data: bytes) -> None:
        """Some bytes of the response."""
        if self._waiting is None or self._waiting.done():
            self.drop()  # nobody asked
            return
        self._came += len(data)
        try:
            self._parser.feed_data(data)
            if not self._head_done and self._came > _MOST_HEAD:
                raise httptools.HttpParserError("its head is too long")
        except httptools.HttpParserError as error:
            self._fail(ConnectionError(f"the answer is not HTTP: {error}"))

    def connection_lost(self, error: Exception | None) -> None:
        """The connection ended; so does a body whose length nobody said."""
        self._standing.discard(self)
        self.reusable = False
        if self._head_done and not self._framed and error is None:
            self._end()
        else:
            self._fail(ConnectionError(f"the connection broke after {self._came} bytes"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        self._head_done = self._parser.get_status_code() >= 200
        self._framed = not _FRAMES.isdisjoint(self._headers)

    def on_body(self, data: bytes) -> None:
        """Called by the parser."""
        self._body.append(data)

    def on_message_complete(self) -> None:
        """Called by the parser; an interim response (100 to 199) is none, the real one follows."""
        if self._head_done:
            self.reusable = self._parser.should_keep_alive()
            self._end()
        else:
            self._headers.clear()

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: Headers = {}
        self._body: list[bytes] = []
        self._came = 0
        self._head_done = self._framed = False

    def _end(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result((self._parser.get_status_code(), self._headers, b"".join(self._body)))

    def _fail(self, error: BaseException) -> None:
        self.reusable = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)


class ByLibrary:
    """The same over TLS or through the environment's proxy, by aiohttp."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        import aiohttp

        self._url, self._aiohttp = url, aiohttp
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), headers=dict(headers), cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=True)

    async def request(self, method: str, path: str, body: bytes, timeout_s: float) -> Response:
        """Send one request and wait for the whole answer."""
        aiohttp = self._aiohttp
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(10.0, timeout_s))
        try:
            answer = await self._session.request(method, self._url + path, data=body, timeout=timeout,
                                                 allow_redirects=False)
            raw = await answer.read()
        except aiohttp.ClientConnectorCertificateError as error:
            raise ssl.SSLCertVerificationError(str(error)) from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotReached(str(error)) from error
        except aiohttp.ClientError as error:
            raise ConnectionError(str(error) or type(error).__name__) from error
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}, raw

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()
