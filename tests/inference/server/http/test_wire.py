"""An answer reaches the socket whole and in order, whatever the socket accepts."""

import os
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lit_infer.server.http.wire import Wire


class Transport:
    """What a wire asks of a transport: here it keeps what is written to it."""

    def __init__(self) -> None:
        self.kept = bytearray()
        self.waits, self.closing = 0, False

    def get_write_buffer_size(self) -> int:
        return self.waits

    def is_closing(self) -> bool:
        return self.closing

    def write(self, data: bytes) -> None:
        self.kept += data

    def close(self) -> None:
        self.closing = True


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection; neither blocks."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield ours, theirs


def wire(transport: Transport, ours: socket.socket) -> Any:
    return Wire(cast("Any", transport), cast("Any", SimpleNamespace(response_started=True)), ours, transport.close)


def test_what_a_socket_does_not_take_is_left_to_the_transport(ends: tuple[socket.socket, socket.socket]) -> None:
    (ours, theirs), transport, body = ends, Transport(), bytes(range(256)) * 40_000
    sent = wire(transport, ours)

    sent.write(b"head")
    sent.write(body)

    left = bytes(theirs.recv(len(body)))
    assert 0 < len(left) < len(body)
    assert left + transport.kept == b"head" + body


@pytest.mark.parametrize(("why", "kept"), [({"waits": 1}, b"headbody"), ({"closing": True}, b"")])
def test_nothing_overtakes_what_waits_and_nothing_is_sent_on_a_socket_that_closes(
    ends: tuple[socket.socket, socket.socket], why: dict[str, int], kept: bytes
) -> None:
    (ours, theirs), transport = ends, Transport()
    vars(transport).update(why)
    sent = wire(transport, ours)

    sent.write(b"head")
    sent.write(b"body")

    assert transport.kept == kept
    with pytest.raises(BlockingIOError):
        theirs.recv(1)


def test_the_number_of_a_socket_that_was_given_up_is_not_written_to(ends: tuple[socket.socket, socket.socket]) -> None:
    (ours, theirs), transport = ends, Transport()
    sent = wire(transport, ours)
    number = ours.detach()  # as after a close, when somebody else has got the number

    sent.write(b"head")
    sent.write(b"body")

    assert transport.kept == b"headbody"
    with pytest.raises(BlockingIOError):
        theirs.recv(1)
    os.close(number)
