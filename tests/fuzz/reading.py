"""An independent reader of HTTP/1.1, much stricter than a server needs to be: what it is sure of must be so."""

import re
from collections.abc import Iterator

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_LINES = rb"((?:" + _TOKEN + rb":[\t -~]*\r\n)*)\r\n"
_HEAD = re.compile(rb"(?:\r\n)*([A-Z]+) ([!-~]+) HTTP/1\.[01]\r\n" + _LINES)
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,6})(?:;[a-z=]*)?\r\n")
_TRAILERS = re.compile(_LINES)


def read(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Method and body of each request, up to the first that is incomplete or in any doubt."""
    while head := _HEAD.match(data):
        fields = [line.split(b":", 1) for line in head[3].split(b"\r\n")[:-1]]
        ends = [(name.lower(), value.strip(b" \t")) for name, value in fields if name.lower() in _ENDS]
        found = _body(data[head.end() :], ends)
        if found is None:
            return
        body, data = found
        yield head[1].decode(), body


_ENDS = (b"content-length", b"transfer-encoding")


def _body(data: bytes, ends: list[tuple[bytes, bytes]]) -> tuple[bytes, bytes] | None:
    """A body and what follows it."""
    match ends:
        case []:
            return b"", data
        case [(b"content-length", value)] if value.isdigit() and len(value) < 7 and int(value) <= len(data):
            return data[: int(value)], data[int(value) :]
        case [(b"transfer-encoding", value)] if value.lower() == b"chunked":
            return _chunks(data)
    return None


def _chunks(data: bytes) -> tuple[bytes, bytes] | None:
    body = b""
    while head := _CHUNK.match(data):
        size, data = int(head[1], 16), data[head.end() :]
        if not size:
            trailers = _TRAILERS.match(data)
            return None if trailers is None else (body, data[trailers.end() :])
        if data[size : size + 2] != b"\r\n":
            return None
        body, data = body + data[:size], data[size + 2 :]
    return None
