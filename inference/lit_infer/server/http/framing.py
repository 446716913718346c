"""Where a message ends and the next one begins, as RFC 9112 has it; what uvicorn and its parser leave open.

An offer to upgrade is ignored and the body read; a request has one host; trailers and chunk extensions are counted and
dropped; requests that come before earlier ones are answered are left unparsed.
"""

import re
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from lit_infer.server.errors import short_of_memory

_PIECE = 2048
"""Bytes that are parsed at once, unless they belong to a body: the fewest that a request has are 26."""
_CHUNK_FRAME = 24
"""Bytes around a chunk that are not counted: its size and line ends."""
_HOST = re.compile(rb"[A-Za-z0-9._~%!$&'()*+,;=:\[\]-]*")
_OFFERS = (b"upgrade", b"http2-settings")


class RefusedError(Exception):
    """Raised in a callback of the parser: the request is not to be read any further."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class Framed(HttpToolsProtocol):
    """uvicorn's protocol, with messages that end where they should. A subclass says how one is refused."""

    max_header: int
    """Bytes of the request line and the headers together; as many again of trailers and chunk extensions."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.refusal = RefusedError(400, "this is not an HTTP request")
        """How to answer what the parser rejects."""
        self._in_header = True
        """From the start of the connection, or a request's first byte, to the end of its headers."""
        self._in_body = False
        self._left = 0
        """Bytes of the body that are still to come, if its length was declared."""
        self._body_bytes = self._overhead = self._chunks = 0
        self._held = memoryview(b"")
        """What came while earlier requests were waiting for their answers."""
        self._good_hosts: list[bytes] | None = None
        self._active: RequestResponseCycle | None = None
        """The request that is being answered."""

    @property
    def is_shut(self) -> bool:
        """Whether nothing more is to be read."""
        raise NotImplementedError

    def connection_made(self, transport: Any) -> None:
        """A client has connected."""
        super().connection_made(transport)
        self.flow = _HeldFlow(transport, self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has left: nobody waits for any of its requests. uvicorn tells only the newest."""
        for cycle in (self._active, *(cycle for cycle, _ in self.pipeline)):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        self._held = memoryview(b"")
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of any part of a request."""
        self._unset_keepalive_if_required()
        if len(data) <= _PIECE and not self.pipeline and not self._held:
            self._read_piece(data)
            return
        self._read(memoryview(b"".join((self._held, data)) if self._held else data))

    def on_response_complete(self) -> None:
        """The last byte of an answer was passed to the transport: go on with what was held."""
        super().on_response_complete()
        if self._held and not self.pipeline:
            held, self._held = self._held, memoryview(b"")
            self._unset_keepalive_if_required()
            self._read(held)
            self.flow.resume_reading()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._in_header = True

    def on_headers_complete(self) -> None:
        """Check what decides where the message ends, and let the app handle the request."""
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise self._refused(501, "CONNECT is for proxies, and this is none")
            return  # `_ignore_offer` reads it again
        self._left = self._check_framing()
        self.on_request()
        self.headers = []  # the request has its own: trailers come here as well, and must not pass for headers
        self._in_header, self._in_body = False, True
        self._body_bytes = self._overhead = self._chunks = 0

    def on_request(self) -> None:
        """A request's headers are complete and make sense."""
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """The size of a chunk."""
        self._chunks += 1

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        self._left -= len(body)
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The last byte of a body."""
        if not self.parser.should_upgrade():
            self._in_body, self._left = False, 0
            self.on_request_complete()

    def on_request_complete(self) -> None:
        """All of a request has come."""
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._active = cycle
        super()._start_asgi_task(cycle, app)

    def _read(self, data: memoryview) -> None:
        """Parse piece by piece, until a request has to wait for an earlier one."""
        while data and not self.is_shut:
            if self.pipeline:
                self._held = data
                self.flow.pause_reading()
                return
            size = max(self._left, _PIECE)
            self._read_piece(data[:size])
            data = data[size:]

    def _read_piece(self, piece: bytes | memoryview) -> None:
        cycle, known = (self.cycle if self._in_body else None), self._body_bytes
        try:
            self._parse(piece)
        except (httptools.HttpParserError, MemoryError) as error:
            if isinstance(error, MemoryError) or isinstance(error.__context__, MemoryError):  # there, or in a callback
                self.refusal = RefusedError(503, str(short_of_memory()))
            elif not isinstance(error, httptools.HttpParserCallbackError):  # those are ours
                self.refusal = RefusedError(400, f"this is not an HTTP request: {error}")
            self.logger.warning("A request was refused: %s", self.refusal.text)
            self.send_400_response("")
            return
        if cycle is not None and self._in_body and self.cycle is cycle:  # all of the piece belongs to its body
            self._overhead += len(piece) - (self._body_bytes - known)
            if self._overhead > self.max_header + _CHUNK_FRAME * self._chunks and not self.is_shut:
                text = f"its chunk extensions and trailers are longer than {self.max_header:,} bytes"
                self.refusal = RefusedError(431, text)
                self.send_400_response("")

    def _parse(self, piece: bytes | memoryview) -> None:
        while True:
            try:
                self.parser.feed_data(piece)
                return
            except httptools.HttpParserUpgrade as offer:
                piece = piece[offer.args[0] :]
                self._ignore_offer()

    def _ignore_offer(self) -> None:
        """Read the head again without its offer (RFC 9110, section 7.8): the parser would drop the body."""
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        lines += [name + b": " + _without_offers(name, value) for name, value in self.headers if name not in _OFFERS]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self.parser.feed_data(b"\r\n".join((*lines, b"", b"")))

    def _check_framing(self) -> int:
        """The length of the body as declared. Raises RefusedError where two readers could disagree about it."""
        hosts, codings, length, size = [], [], b"", len(self.url)
        for name, value in self.headers:
            size += len(name) + len(value) + 4
            if name == b"host":
                hosts.append(value)
            elif name == b"transfer-encoding":
                codings.append(value.strip().lower())
            elif name == b"content-length":
                length = value
        if size > self.max_header:
            raise self._refused(431, self._too_long)
        if (version := self.parser.get_http_version()) not in ("1.0", "1.1"):
            raise self._refused(505, "this server speaks HTTP/1.0 and HTTP/1.1")
        if hosts != self._good_hosts and not _is_one_host(hosts, version):
            raise self._refused(400, "a request has exactly one valid Host header")
        self._good_hosts = hosts if hosts else None  # those of the next request are mostly the same
        if codings and (length or version == "1.0"):
            raise self._refused(400, "Transfer-Encoding goes neither with Content-Length nor with HTTP/1.0")
        if codings and codings != [b"chunked"]:
            raise self._refused(501, "the only transfer coding that this server knows is chunked")
        return int(length or 0)

    @property
    def _too_long(self) -> str:
        return f"the request line and headers are longer than {self.max_header:,} bytes"

    def _refused(self, status: int, text: str) -> RefusedError:
        self.refusal = RefusedError(status, text)
        return self.refusal


def _is_one_host(hosts: list[bytes], version: str) -> bool:
    """Whether there is one, and a valid one; HTTP/1.0 needs none."""
    if not hosts:
        return version == "1.0"
    return len(hosts) == 1 and _HOST.fullmatch(hosts[0].strip()) is not None


def _without_offers(name: bytes, value: bytes) -> bytes:
    """A header's value; that of Connection without what belongs to an offer."""
    if name != b"connection":
        return value
    return b",".join(one for one in value.split(b",") if one.strip().lower() not in _OFFERS)


class _HeldFlow(FlowControl):
    """Reads nothing more while requests are held: a client that only sends must not fill the memory."""

    def __init__(self, transport: Any, protocol: Framed) -> None:
        super().__init__(transport)
        self._protocol = protocol

    def resume_reading(self) -> None:
        """Resume, unless something is held."""
        if not self._protocol._held:
            super().resume_reading()
