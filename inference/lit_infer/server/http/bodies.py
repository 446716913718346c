"""Reading a request's body, within the limits before and after decompression."""

import asyncio
import zlib

from starlette.types import Receive, Scope

from lit_infer.errors import LitError, UsageError
from lit_infer.server.errors import ClientGoneError

_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class TooLargeError(LitError):
    """The body is larger than this server accepts: HTTP 413."""

    status = 413


async def read(scope: Scope, receive: Receive, *, limit: int) -> bytes:
    """The body, decompressed. Raises TooLargeError, ClientGoneError, and UsageError for an unknown encoding."""
    headers = dict(scope["headers"])
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    body = await _whole(receive, limit)
    encoding = headers.get(b"content-encoding", b"identity").strip().lower().decode("latin-1")
    if encoding in ("identity", ""):
        return body
    return await asyncio.to_thread(decompress, body, encoding, limit=limit)


async def _whole(receive: Receive, limit: int) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError("the client disconnected while sending")
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def decompress(body: bytes, encoding: str, *, limit: int) -> bytes:
    """Decompress gzip or deflate, stopping at the limit."""
    if encoding not in _WINDOWS:
        raise UsageError(f"content encoding {encoding[:30]!r} is not supported; use gzip, deflate or none")
    unpacker = zlib.decompressobj(_WINDOWS[encoding])
    try:
        data = unpacker.decompress(body, limit + 1)
    except zlib.error:
        raise UsageError(f"the body is not {encoding}, although its Content-Encoding says so") from None
    if len(data) > limit:
        raise _too_large(limit)
    if not unpacker.eof or unpacker.unused_data:
        raise UsageError(f"the body is not one complete {encoding} stream")
    return data


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"the body is larger than {limit:,} bytes, before or after decompression")
