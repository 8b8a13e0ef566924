"""Responses of many shapes, in many pieces, over real sockets."""

import asyncio
import gzip
import time
from collections.abc import Awaitable, Callable

import pytest

from generators.http import Direct, NotReached, open_http

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\n"


async def with_server(
    peer: Peer, use: Callable[[Direct, int], Awaitable[None]], headers: dict[str, str] | None = None
) -> None:
    """Run `use` against a server that gives each connection to `peer`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await peer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = Direct(f"http://127.0.0.1:{port}/v1", headers or {})
    try:
        await use(client, port)
    finally:
        await client.close()
        server.close()
        await server.wait_closed()


async def read_request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return head, await reader.readexactly(length)


def answering(*pieces: bytes, pause: float = 0.002) -> Peer:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
    return peer


WHOLE = OK + b"Content-Length: 5\r\nRetry-After: 7\r\n\r\nhello"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n"
TRAILED = OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"


@pytest.mark.parametrize("pieces", [
    [WHOLE], [WHOLE[:9], WHOLE[9:50], WHOLE[50:]], [bytes([byte]) for byte in WHOLE],
    [CHUNKED], [CHUNKED[:60], CHUNKED[60:]], [bytes([byte]) for byte in CHUNKED], [TRAILED],
    [b"HTTP/1.1 100 Continue\r\n\r\n" + WHOLE],
], ids=["whole", "in three", "byte by byte", "chunked", "chunked in two", "chunk bytes", "with trailer", "after a 100"])
def test_a_response_is_read_whatever_its_pieces_and_the_connection_is_kept(pieces: list[bytes]) -> None:
    connections = 0
    answer = answering(*pieces, pause=0.0005)

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await answer(reader, writer)

    async def use(client: Direct, _: int) -> None:
        for _ in range(3):
            status, headers, body = await client.request("POST", "/x", b"{}", 60.0)
            assert (status, body) == (200, b"hello")
        assert ("retry-after" in headers) == (b"Retry-After" in b"".join(pieces))

    asyncio.run(with_server(peer, use))
    assert connections == 1


@pytest.mark.parametrize("response", [
    OK + b"\r\nhello", b"HTTP/1.0 200 OK\r\n\r\nhello", OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello",
])
def test_a_connection_that_the_server_closes_is_not_used_again(response: bytes) -> None:
    async def use(client: Direct, _: int) -> None:
        for _ in range(3):
            assert (await client.request("POST", "/x", b"{}", 60.0))[2] == b"hello"

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(response)

    asyncio.run(with_server(peer, use))


@pytest.mark.parametrize("response", [
    b"", OK, OK + b"Content-Length: 9\r\n\r\nhello", OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
    b"SSH-2.0-OpenSSH\r\n\r\n", OK + b"Content-Length: many\r\n\r\n", OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
], ids=["nothing", "half a head", "a cut body", "a cut chunk", "no HTTP", "no number", "no chunk size"])
def test_a_response_that_is_not_whole_is_an_error(response: bytes) -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(response)

    async def use(client: Direct, _: int) -> None:
        with pytest.raises(ConnectionError):
            await client.request("POST", "/x", b"{}", 60.0)

    asyncio.run(with_server(peer, use))


def test_a_request_is_what_http_wants() -> None:
    seen = []

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await read_request(reader))
        writer.write(WHOLE)

    async def use(client: Direct, port: int) -> None:
        await client.request("POST", "/chat/completions", '{"ü": 1}'.encode(), 60.0)
        head, body = seen[0]
        lines = head.decode().split("\r\n")
        assert lines[0] == "POST /v1/chat/completions HTTP/1.1"
        assert f"Host: 127.0.0.1:{port}" in lines
        assert "Authorization: Bearer k" in lines
        assert "Accept-Encoding: identity" in lines, "what is left out may be taken as: any"
        assert body == '{"ü": 1}'.encode()

    asyncio.run(with_server(peer, use, {"Authorization": "Bearer k"}))


def test_a_server_that_says_nothing_is_left_at_the_timeout() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def use(client: Direct, _: int) -> None:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            await client.request("POST", "/x", b"{}", 0.2)
        assert 0.15 < time.monotonic() - began < 30.0

    asyncio.run(with_server(peer, use))


def test_where_nobody_listens_nothing_was_reached() -> None:
    async def use(client: Direct, port: int) -> None:
        gone = Direct(f"http://127.0.0.1:{port}/v1", {})
        with pytest.raises(NotReached, match=r"127\.0\.0\.1"):
            await gone.request("POST", "/x", b"{}", 60.0)

    async def run() -> None:
        server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        await use(Direct("http://127.0.0.1", {}), port)

    asyncio.run(run())


def test_a_proxy_of_the_environment_is_used_for_servers_elsewhere_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[bytes] = []

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await read_request(reader))[0])
        body = gzip.compress(b"hello")
        writer.write(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async def use(_: Direct, port: int) -> None:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.delenv("no_proxy", raising=False)
        assert isinstance(open_http("http://127.0.0.1:1/v1", {}), Direct)
        client = open_http("http://models.example/v1", {})
        assert await client.request("POST", "/x", b"{}", 60.0) == (200, {
            "content-encoding": "gzip", "content-length": "25"}, b"hello")
        assert seen[0].startswith(b"POST http://models.example/v1/x HTTP/1.1")
        await client.close()

    asyncio.run(with_server(peer, use))
