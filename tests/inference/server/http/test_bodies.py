"""Bodies are read within limits, before and after decompression."""

import asyncio
import gzip
import zlib
from typing import Any

import pytest

from lit_infer.errors import UsageError
from lit_infer.server.errors import ClientGoneError
from lit_infer.server.http.bodies import TooLargeError, decompress, read

DISCONNECT = {"type": "http.disconnect"}


def body(*parts: bytes) -> list[dict[str, Any]]:
    """The messages of a body that arrives in parts."""
    last = len(parts) - 1
    return [{"type": "http.request", "body": part, "more_body": i < last} for i, part in enumerate(parts)]


def read_from(messages: list[dict[str, Any]], *, limit: int = 10, **headers: str) -> bytes:
    left = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(left)

    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return asyncio.run(read({"type": "http", "headers": pairs}, receive, limit=limit))


def test_parts_are_joined_up_to_the_limit() -> None:
    assert read_from(body(b"abc", b"", b"defg")) == b"abcdefg"
    assert read_from(body(b"a" * 10)) == b"a" * 10
    with pytest.raises(TooLargeError, match="larger than 10 bytes"):
        read_from(body(b"a" * 6, b"a" * 5))


def test_a_body_that_is_declared_too_large_is_not_read_at_all() -> None:
    with pytest.raises(TooLargeError):
        read_from([], content_length="11")


def test_a_client_that_leaves_in_the_middle_is_noticed() -> None:
    with pytest.raises(ClientGoneError, match="disconnected while sending"):
        read_from([*body(b"a", b"b")[:1], DISCONNECT])


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), (" GZIP ", gzip.compress)]
)
def test_a_compressed_body_is_unpacked(encoding: str, pack: Any) -> None:
    assert read_from(body(pack(b"hello")), limit=100, content_encoding=encoding) == b"hello"


def test_decompression_stops_at_the_limit() -> None:
    bomb = gzip.compress(bytes(10_000_000))

    assert len(bomb) < 20_000
    with pytest.raises(TooLargeError):
        decompress(bomb, "gzip", limit=20_000)


@pytest.mark.parametrize(
    ("data", "encoding", "said"),
    [
        (b"hello", "br", "'br' is not supported"),
        (b"hello", "gzip", "the body is not gzip"),
        (gzip.compress(b"hello", mtime=0)[:-1], "gzip", "not one complete gzip stream"),
        (gzip.compress(b"a", mtime=0) + b"b", "gzip", "not one complete gzip stream"),
    ],
)
def test_what_cannot_be_unpacked_is_refused(data: bytes, encoding: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        decompress(data, encoding, limit=100)
