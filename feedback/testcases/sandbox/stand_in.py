"""A test program and the program it tests, each in a process of its own, with encoded values between them.

The tests see built-in values and built-in exceptions only, so no object of the program's can answer for itself when it
is compared. The standard library only: this file is run inside the sandbox.
"""

import builtins
import os
import struct
import time
from collections.abc import Callable
from typing import Any

from feedback.testcases.sandbox import codec, inside, records
from feedback.testcases.sandbox.records import Page

TESTS = "<tests>"
GONE = "early_exit: the program's process ended"
_LENGTH = struct.Struct("<I")
_NOT_RAISED = {"StopIteration", "StopAsyncIteration", "AssertionError"}
"""Exceptions that would end a loop of the tests early (all() would then be true) or look like the tests' own."""


class Gone(BaseException):
    """The program's process ended, or gave a value that cannot cross; nothing the tests may catch by Exception."""


def serve(channel: int, page: Page, source: str, entry: str, cpu_s: float) -> None:
    """The program's side: answer calls until the tests hang up."""
    inside.prepare(source)
    try:
        function = inside.entry_of(inside.load(source, "candidate"), entry)
    except inside.Refused as refused:
        page.add(records.NEVER, str(refused))
        return
    page.loaded()
    while (request := receive(channel, codec.MAX_CHARS)) is not None:
        send(channel, _reply(function, request, page.output_bytes))


def _reply(function: Callable[..., Any], request: bytes, limit: int) -> bytes:
    try:
        positional, named = codec.decode(request.decode(), ordered=True, trusted=True)
        return b"v" + codec.encode(function(*positional, **named), limit, ordered=True).encode()
    except codec.Unsupported as error:
        return b"u" + str(error).encode("utf-8", "backslashreplace")
    except BaseException as error:
        name = next((kind.__name__ for kind in type(error).__mro__ if getattr(builtins, kind.__name__, None) is kind),
                    "Exception")
        return b"e" + f"{name}\n{inside.described(error)}".encode("utf-8", "backslashreplace")


def test(channel: int, page: Page, source: str, entry: str, cpu_s: float) -> None:
    """The tests' side: run the test program against a stand-in and write whether it passed."""
    inside.prepare(source)
    started = time.process_time()
    raised: list[BaseException] = []
    try:
        code = compile(source, TESTS, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError) as error:
        page.add(records.OURS, f"the tests do not compile: {inside.described(error)}")
        return
    try:
        exec(code, _Names(entry, _stand_in(channel, page.output_bytes, raised)))
    except Gone as gone:
        page.add(records.ERROR, str(gone), cpu_s=time.process_time() - started)
    except BaseException as error:
        detail = f"{inside.described(error)} (line {inside._line(error, TESTS)} of the tests)"
        if raised and error is raised[-1]:
            page.add(records.ERROR, str(error), cpu_s=time.process_time() - started)
        else:
            page.add(records.RAN, detail, b"failed", time.process_time() - started)
    else:
        page.add(records.RAN, "", b"passed", time.process_time() - started)
    page.add(records.END, "1")


class _Names(dict[str, Any]):
    """The tests' namespace: a definition of the entry, such as a prompt's stub, does not hide the stand-in."""

    def __init__(self, entry: str, function: Callable[..., Any]) -> None:
        super().__init__({"__name__": "tests", "__builtins__": builtins, "candidate": function, entry: function})
        self._taken = {entry, "candidate"}

    def __setitem__(self, name: str, value: Any) -> None:
        if name not in self._taken:
            super().__setitem__(name, value)


def _stand_in(channel: int, limit: int, raised: list[BaseException]) -> Callable[..., Any]:
    def function(*positional: Any, **named: Any) -> Any:
        try:
            request = codec.encode([list(positional), named], ordered=True)
        except codec.Unsupported as error:
            raise Gone(f"unsupported_value: an argument: {error}") from None
        send(channel, request.encode())
        reply = receive(channel, limit + 1024)
        if reply is None:
            raise Gone(GONE)
        return _result(reply, raised)

    return function


def _result(reply: bytes, raised: list[BaseException]) -> Any:
    tag, text = reply[:1], reply[1:].decode("utf-8", "replace")
    if tag == b"v":
        try:
            return codec.decode(text, ordered=True)
        except codec.Unsupported as error:
            raise Gone(f"unsupported_value: {error}") from None
    if tag == b"e":
        name, _, detail = text.partition("\n")
        kind = getattr(builtins, name, None)
        wrong = not isinstance(kind, type) or not issubclass(kind, Exception) or name in _NOT_RAISED
        try:
            failure: Exception = RuntimeError(detail) if wrong else kind(detail)  # type: ignore[misc]
        except TypeError:                 # UnicodeDecodeError and the like want more than a text
            failure = RuntimeError(detail)
        raised.append(failure)
        raise failure
    raise Gone(f"unsupported_value: {text[:200]}")


def send(channel: int, message: bytes) -> None:
    """Write one message; raises Gone where nobody reads it."""
    rest = memoryview(_LENGTH.pack(len(message)) + message)
    try:
        while rest:
            rest = rest[os.write(channel, rest):]
    except OSError:
        raise Gone(GONE) from None


def receive(channel: int, limit: int) -> bytes | None:
    """Read one message; None where the other side hung up or says something too long."""
    head = _exactly(channel, _LENGTH.size)
    if head is None:
        return None
    length: int = _LENGTH.unpack(head)[0]
    return _exactly(channel, length) if length <= limit else None


def _exactly(channel: int, length: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < length:
        try:
            part = os.read(channel, min(length - len(parts), 1 << 16))
        except OSError:
            return None
        if not part:
            return None
        parts += part
    return bytes(parts)
