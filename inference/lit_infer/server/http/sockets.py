"""What uvicorn leaves open for ever: deadlines for headers, bodies and idle connections, and limits of size and number.

Each connection holds the moment by which it must have got on; the server looks at all of them twice a second, which
costs a request nothing but the noting of the moment.
"""

import asyncio
import functools
import math
import os
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol, cast

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from lit_infer.server.settings import Settings

_NEVER = math.inf


class _Socket(Protocol):
    def fileno(self) -> int: ...


def protocol(settings: Settings, is_draining: Callable[[], bool]) -> Callable[..., "Guarded"]:
    """The protocol class, as uvicorn calls it for each connection."""
    return functools.partial(Guarded, settings=settings, is_draining=is_draining)


def close_late(connections: Iterable[Any]) -> None:
    """Close every connection whose moment has passed."""
    now = time.monotonic()
    for connection in list(connections):
        if isinstance(connection, Guarded) and connection.deadline < now:
            connection.close_late()


class Guarded(HttpToolsProtocol):
    """uvicorn's protocol, which refuses what is too slow, too large or too many."""

    def __init__(self, *args: Any, settings: Settings, is_draining: Callable[[], bool], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.settings = settings
        self.is_draining = is_draining
        self.deadline = _NEVER
        self._in_header = True
        """From the connection's start or a request's first byte to the end of its headers."""
        self._in_body = False
        self._header_bytes = 0
        self._before: RequestResponseCycle | None = None
        """The request before the newest one."""
        self._is_deaf = False
        """A request was wrong; what is owed to those before it is the last that is said, and no more is heard."""
        self._is_leaving = False
        """All was said; what still comes is thrown away until the client has closed."""
        self._refusal = (400, "this is not an HTTP request")

    def connection_made(self, transport: Any) -> None:
        """A client is here; its first request is to follow."""
        super().connection_made(transport)
        self._plain = _plain_socket(transport)
        self._expect_within(self.settings.header_timeout)
        if len(self.connections) > 2 * self.settings.max_connections:
            self.transport.close()  # as many as are served are being told so already
        elif len(self.connections) > self.settings.max_connections:
            self._refuse(503, f"{self.settings.max_connections} connections are open already: try again later")

    def data_received(self, data: bytes) -> None:
        """Bytes of any part of a request."""
        if self._is_deaf or self._is_over:
            return
        if self._in_header:
            self._header_bytes += len(data)
        super().data_received(data)
        # The parser tells of a header when it is whole; of one that never ends, never.
        if self._in_header and not self._header_bytes:
            self._header_bytes = 1  # a request has begun behind another one
        if self._in_header and self._header_bytes > self.settings.max_header and not (self._is_deaf or self._is_over):
            self._refuse(431, self._too_long)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._in_header, self._header_bytes = True, self._header_bytes if self._in_header else 0
        self._expect_within(self.settings.header_timeout)

    def on_headers_complete(self) -> None:
        """The app is called from here on."""
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.settings.max_header:
            self._refusal = (431, self._too_long)
            raise ValueError("header too long")
        self._in_header, self._in_body, self._header_bytes = False, True, 0
        self._before = self.cycle
        super().on_headers_complete()
        if self.scope["method"] != "HEAD":
            self.cycle.transport = cast("asyncio.Transport", Wire(self.transport, self.cycle, self._plain, self._leave))
        self._expect_within(self.settings.body_timeout)
        if self.is_draining():
            self.cycle.keep_alive = False  # the answer says so, and clients go elsewhere

    def on_message_complete(self) -> None:
        """The last byte of a body."""
        super().on_message_complete()
        self._in_body = False
        self.deadline = _NEVER  # it is our turn
        if self.cycle.response_complete:
            self._expect_within(self.settings.idle_timeout)

    def on_response_complete(self) -> None:
        """The last byte of an answer was handed over."""
        if self._is_leaving:
            return
        super().on_response_complete()
        if self.cycle.response_complete and not self._in_body and not self._in_header:
            self._expect_within(self.settings.idle_timeout)

    def pause_writing(self) -> None:
        """The client does not read."""
        super().pause_writing()
        self._expect_within(self.settings.body_timeout)

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()
        self.deadline = _NEVER
        if self.cycle.response_complete:
            self._expect_within(self.settings.idle_timeout)

    def shutdown(self) -> None:
        """Close when nothing is under way. A request of which a part is here, or is just on its way, is answered."""
        if self._is_leaving:
            return
        is_under_way = self._in_body or (self.cycle is not None and not self.cycle.response_complete)
        if is_under_way or (not self._in_header and self._has_been_idle()):
            super().shutdown()
        elif not (self._in_header and self._header_bytes):
            self._expect_within(self.settings.next_request)

    def _has_been_idle(self) -> bool:
        return time.monotonic() - (self.deadline - self.settings.idle_timeout) > self.settings.next_request

    def close_late(self) -> None:
        """The moment has passed: say so where a request waits for an answer, and close."""
        if self.flow.write_paused:
            self.transport.abort()
        elif self._is_leaving:
            self.transport.close()
        elif self._in_header and self._header_bytes:
            self._refuse(408, f"the headers did not arrive in {self.settings.header_timeout:g} s")
        elif self._in_body and self.flow.read_paused:
            self._expect_within(self.settings.body_timeout)  # it is we who do not read
        elif self._in_body and not self.cycle.response_started:
            self._refuse(408, f"the body did not arrive in {self.settings.body_timeout:g} s")
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's own text
        """Called by uvicorn for what its parser refuses."""
        self._refuse(*self._refusal)

    @property
    def _too_long(self) -> str:
        return f"the request line and headers are longer than {self.settings.max_header:,} bytes"

    def _expect_within(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds

    @property
    def _is_over(self) -> bool:
        return self._is_leaving or self.transport.is_closing()

    def _refuse(self, status: int, text: str) -> None:
        """Answer without the app, and close. An answer that is owed to an earlier request is the last one instead."""
        if waits := self._in_body and bool(self.pipeline):
            self.pipeline.popleft()  # it has not been begun, and will not be
            self.cycle = cast("RequestResponseCycle", self._before)
        if self.cycle is not None and not self.cycle.response_complete:
            if waits or self._in_header:
                self.cycle.keep_alive = False
                self._is_deaf, self.deadline = True, _NEVER
                return
            self.cycle.disconnected, self.cycle.waiting_for_100_continue = True, False  # nobody is told of this one
            self.cycle.message_event.set()
        body = msgspec.json.encode({"error": text})
        head = [STATUS_LINE[status], b"content-type: application/json\r\nconnection: close\r\n"]
        if status == 503:
            head.append(b"retry-after: 1\r\n")
        self.transport.write(b"".join((*head, b"content-length: %d\r\n\r\n" % len(body), body)))
        self._linger()

    def _leave(self) -> None:
        """Close behind the last answer."""
        if self._in_body or self._in_header:
            self._linger()
        else:
            self.transport.close()

    def _linger(self) -> None:
        """Close when the client has: it may be sending still. RFC 9112, section 9.6.

        The kernel answers what it is sent after a close with a reset, and many a client forgets our answer then.
        """
        self._is_leaving = True
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._expect_within(self.settings.body_timeout if self._in_body else self.settings.header_timeout)


class Wire:
    """A transport as an answer is written to: its head waits for the first of its body, and both leave in one piece.

    ASGI asks it of servers, and uvicorn leaves it to its transport; uvloop's sends every piece at once.
    """

    __slots__ = ("_cycle", "_head", "_leave", "_plain", "_transport")

    def __init__(
        self,
        transport: asyncio.Transport,
        cycle: RequestResponseCycle,
        plain: _Socket | None,
        leave: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._cycle = cycle
        self._plain = plain
        self._leave = leave
        self._head: bytes | None = None

    def write(self, data: bytes) -> None:
        """Called for "100 Continue", for the head, and for each piece of the body. A client that left gets none."""
        if self._transport.is_closing():
            return
        if self._head is None and self._cycle.response_started:
            self._head = data
            return
        if self._head:
            data, self._head = self._head + data, b""
        if (sent := self._sent(data)) < len(data):
            self._transport.write(data[sent:])

    def _sent(self, data: bytes) -> int:
        """How many bytes have left already, without the interpreter's lock, if that is possible now."""
        if self._plain is None or self._transport.get_write_buffer_size():
            return 0
        try:
            # Asked for each time: of a socket that is closed it is -1, while its old number may be somebody else's.
            return os.write(self._plain.fileno(), data)
        except OSError:  # full, or gone: the transport knows what to do
            return 0

    def is_closing(self) -> bool:
        """As the transport's."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Send what is here, then close."""
        if self._transport.is_closing():
            return
        if self._head:
            self._transport.write(self._head)
        self._leave()


def _plain_socket(transport: Any) -> _Socket | None:
    """The plain socket below a uvloop transport.

    uvloop holds the interpreter's lock while it sends. The kernel may run whoever is sent to first, and all that time
    our workers wait. asyncio's own transports give the lock away, and so does `os.write`.
    """
    is_uvloops = type(transport).__module__.startswith("uvloop")
    if not is_uvloops or transport.get_extra_info("sslcontext") is not None:
        return None
    plain: _Socket = transport.get_extra_info("socket")
    return plain
