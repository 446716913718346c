"""What uvicorn lacks: deadlines for headers, bodies and idle connections, and limits on their size and number.

Each connection has a deadline for its next progress. The server checks all of them twice a second, so a request pays
only for setting its deadline.
"""

import asyncio
import functools
import math
import time
from collections.abc import Callable, Iterable
from typing import Any, cast

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from lit_infer.server.http.framing import Framed
from lit_infer.server.http.wire import Wire, plain_socket
from lit_infer.server.settings import Settings

_NEVER = math.inf
_REQUEST_LINE = 64
"""Bytes around the target and the headers that are not counted once they are parsed: method, version and line ends.

Without them, a request at the limit would be refused or not by how the network cuts it.
"""


def protocol(settings: Settings, is_draining: Callable[[], bool]) -> Callable[..., "Guarded"]:
    """The factory that uvicorn calls for each connection."""
    return functools.partial(Guarded, settings=settings, is_draining=is_draining)


def close_overdue(connections: Iterable[Any], *, max_unread: int) -> None:
    """Close every connection whose deadline has passed, and those that keep the most answers unread if all are many."""
    now, unread = time.monotonic(), 0
    for connection in sorted(filter(_is_guarded, connections), key=lambda one: one.unread):
        unread += connection.unread
        if unread > max_unread:
            connection.transport.abort()
        elif connection.deadline < now:
            connection.close_overdue()


def _is_guarded(connection: Any) -> bool:
    return isinstance(connection, Guarded)


class Guarded(Framed):
    """The protocol, refusing what is too slow, too large or too much."""

    def __init__(self, *args: Any, settings: Settings, is_draining: Callable[[], bool], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.settings = settings
        self.is_draining = is_draining
        self.deadline = _NEVER
        self.max_header = settings.max_header
        self._header_bytes = 0
        self._before: RequestResponseCycle | None = None
        """The request before the newest one."""
        self._is_deaf = False
        """A request was malformed: those before it are still answered, and nothing more is read."""
        self._is_lingering = False
        """The last answer was sent: what still arrives is discarded until the client closes."""

    def connection_made(self, transport: Any) -> None:
        """A client has connected; its first request should follow."""
        super().connection_made(transport)
        self._plain = plain_socket(transport)
        self._expect_within(self.settings.header_timeout)
        if len(self.connections) > 2 * self.settings.max_connections:
            self.transport.close()  # too many are being told that the server is full
        elif len(self.connections) > self.settings.max_connections:
            self._refuse(503, f"{self.settings.max_connections} connections are open already: try again later")

    def data_received(self, data: bytes) -> None:
        """Bytes of any part of a request."""
        if self.is_shut:
            return
        if self._in_header:
            self._header_bytes += len(data)
        super().data_received(data)
        # The parser reports complete headers only, so endless ones must be counted here.
        if self._in_header and not self._header_bytes:
            self._header_bytes = 1  # another request has begun in the same data
        if self._in_header and self._header_bytes > self.max_header + _REQUEST_LINE and not self.is_shut:
            self._refuse(431, self._too_long)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._header_bytes = self._header_bytes if self._in_header else 0
        super().on_message_begin()
        self._expect_within(self.settings.header_timeout)

    def on_request(self) -> None:
        """Let the app handle the request."""
        self._header_bytes = 0
        self._before = self.cycle
        super().on_request()
        if self.scope["method"] != "HEAD":
            self.cycle.transport = cast("asyncio.Transport", Wire(self.transport, self.cycle, self._plain, self._leave))
        self._expect_within(self.settings.body_timeout)
        if self.is_draining():
            self.cycle.keep_alive = False  # the answer says so, and the client connects elsewhere

    def on_request_complete(self) -> None:
        """All of a request has come."""
        super().on_request_complete()
        self.deadline = _NEVER  # the client is not expected to do anything
        if self.cycle.response_complete:
            self._expect_within(self.settings.idle_timeout)

    def on_response_complete(self) -> None:
        """The last byte of an answer was passed to the transport."""
        if self._is_lingering:
            return
        super().on_response_complete()
        if self.cycle.response_complete and not self._in_body and not self._in_header:
            self._expect_within(self.settings.idle_timeout)

    def pause_writing(self) -> None:
        """The client has stopped reading."""
        super().pause_writing()
        self._expect_within(self.settings.body_timeout)

    def resume_writing(self) -> None:
        """The client is reading again."""
        super().resume_writing()
        self.deadline = _NEVER
        if self.cycle.response_complete:
            self._expect_within(self.settings.idle_timeout)

    def shutdown(self) -> None:
        """Close if there is no request. One that has partly arrived, or is about to, is answered first."""
        if self._is_lingering:
            return
        is_under_way = self._in_body or (self.cycle is not None and not self.cycle.response_complete)
        if is_under_way or (not self._in_header and self._has_been_idle()):
            super().shutdown()
        elif not (self._in_header and self._header_bytes):
            self._expect_within(self.settings.next_request)

    def _has_been_idle(self) -> bool:
        return time.monotonic() - (self.deadline - self.settings.idle_timeout) > self.settings.next_request

    def close_overdue(self) -> None:
        """The deadline has passed: answer the request if there is one, and close."""
        if self.flow.write_paused:
            self.transport.abort()
        elif self._is_lingering:
            self.transport.close()
        elif self._held:
            self._expect_within(self.settings.body_timeout)  # it is the server that has not come to it yet
        elif self._in_header and self._header_bytes:
            self._refuse(408, f"the headers did not arrive in {self.settings.header_timeout:g} s")
        elif self._in_body and self.flow.read_paused:
            self._expect_within(self.settings.body_timeout)  # it is the server that has stopped reading
        elif self._in_body and not self.cycle.response_started:
            self._refuse(408, f"the body did not arrive in {self.settings.body_timeout:g} s")
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's own message
        """Called by uvicorn when its parser rejects the data."""
        self._refuse(self.refusal.status, self.refusal.text)

    def _expect_within(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds

    @property
    def unread(self) -> int:
        """Bytes of answers that the client has left unread."""
        return self.transport.get_write_buffer_size() if self.flow.write_paused else 0

    @property
    def is_shut(self) -> bool:
        """Whether nothing more is to be read."""
        return self._is_deaf or self._is_lingering or self.transport.is_closing()

    def _refuse(self, status: int, text: str) -> None:
        """Answer without the app, and close. If an earlier request is unanswered, its answer comes last instead."""
        if waits := self._in_body and bool(self.pipeline):
            self.pipeline.popleft()  # it has not been started, and will not be
            self.cycle = cast("RequestResponseCycle", self._before)
        if self.cycle is not None and not self.cycle.response_complete:
            if waits or self._in_header:
                self.cycle.keep_alive = False
                self._is_deaf, self.deadline = True, _NEVER
                return
            self.cycle.disconnected, self.cycle.waiting_for_100_continue = (
                True,
                False,
            )  # the app must not answer this one
            self.cycle.message_event.set()
        body = msgspec.json.encode({"error": text})
        head = [STATUS_LINE[status], b"content-type: application/json\r\nconnection: close\r\n"]
        if status == 503:
            head.append(b"retry-after: 1\r\n")
        self.transport.write(b"".join((*head, b"content-length: %d\r\n\r\n" % len(body), body)))
        self._linger()

    def _leave(self) -> None:
        """Close after the last answer."""
        if self._in_body or self._in_header:
            self._linger()
        else:
            self.transport.close()

    def _linger(self) -> None:
        """Close once the client has closed: it may still be sending (RFC 9112, section 9.6).

        The kernel resets a closed connection that receives data, and many clients then lose the answer.
        """
        self._is_lingering = True
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._expect_within(self.settings.body_timeout if self._in_body else self.settings.header_timeout)
