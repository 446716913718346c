"""How an answer gets onto its connection: in one piece, and without holding the GIL where that is possible."""

import asyncio
import os
from collections.abc import Callable
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


class Socket(Protocol):
    """What is needed of a socket."""

    def fileno(self) -> int:
        """Its descriptor, or -1 once it is closed."""


class Wire:
    """The transport that an answer is written to: it sends the head together with the first of the body.

    ASGI expects this of servers. uvicorn leaves it to its transport, and uvloop's sends every piece separately.
    """

    __slots__ = ("_cycle", "_head", "_leave", "_plain", "_transport")

    def __init__(
        self,
        transport: asyncio.Transport,
        cycle: RequestResponseCycle,
        plain: Socket | None,
        leave: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._cycle = cycle
        self._plain = plain
        self._leave = leave
        self._head: bytes | None = None

    def write(self, data: bytes) -> None:
        """Called for "100 Continue", for the head, and for each piece of the body. A no-op once the client has left."""
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
        """Send what can be sent right now without holding the GIL; returns the number of bytes."""
        if self._plain is None or self._transport.get_write_buffer_size():
            return 0
        try:
            # Looked up each time: a closed socket has -1, while its old descriptor may belong to another one by now.
            return os.write(self._plain.fileno(), data)
        except OSError:  # full or closed: the transport handles it
            return 0

    def is_closing(self) -> bool:
        """Whether the transport is closing."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Send what is left, then close."""
        if self._transport.is_closing():
            return
        if self._head:
            self._transport.write(self._head)
        self._leave()


def plain_socket(transport: Any) -> Socket | None:
    """The plain socket below a uvloop transport.

    uvloop holds the GIL while it sends. The kernel may schedule the receiver first, and our workers wait meanwhile.
    asyncio's own transports release the GIL, and so does `os.write`.
    """
    is_uvloops = type(transport).__module__.startswith("uvloop")
    if not is_uvloops or transport.get_extra_info("sslcontext") is not None:
        return None
    plain: Socket = transport.get_extra_info("socket")
    return plain
