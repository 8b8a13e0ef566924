"""Frames of JSON on the fork server's descriptors.

The standard library only: this file is run inside the sandbox.
"""

import os
import struct
from typing import Any

from feedback.testcases.sandbox import codec

COMMANDS, REPLIES = 3, 4
_LENGTH = struct.Struct("<I")


class Hung(Exception):
    """The other side is gone."""


def read_frame(source: int) -> Any:
    """The next frame; raises Hung where there is none."""
    return codec.scanned(exactly(source, _LENGTH.unpack(exactly(source, _LENGTH.size))[0]).decode())[0]


def exactly(source: int, length: int) -> bytes:
    """So many bytes, and not one more; raises Hung where the other side is gone."""
    parts = bytearray()
    while len(parts) < length:
        part = os.read(source, length - len(parts))
        if not part:
            raise Hung
        parts += part
    return bytes(parts)


def write_frame(target: int, value: Any) -> None:
    """Send a frame; raises Hung where nobody reads."""
    body = codec.dumped(value).encode()
    try:
        write_all(target, _LENGTH.pack(len(body)) + body)
    except BrokenPipeError:
        raise Hung from None


def write_all(target: int, data: bytes) -> None:
    """Write all of it."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(target, rest):]
