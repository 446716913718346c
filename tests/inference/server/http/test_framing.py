"""A message ends where RFC 9112 says, in any segments; what is in doubt is refused, and nothing follows."""

import asyncio
import contextlib
import itertools
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from lit_infer.server.http.framing import Framed
from tests.support.server.process import Server, read_all, serving
from tests.support.server.requests import png

IMAGE = png("blue")
SMUGGLED = b"GET /v2/models HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
"""A request that follows each case, whose answer shows where the server took the case to end."""

CASE = b"POST /predict HTTP/1.1\r\nHost: x\r\n"
LENGTH = b"Content-Length: %d\r\n\r\n" % len(IMAGE)
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"5\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (IMAGE[:5], len(IMAGE) - 5, IMAGE[5:])
BARE = CHUNKS[:-2]
"""Chunks up to the trailers."""

ACCEPTED = {
    "a length": LENGTH + IMAGE,
    "a length with spaces": b"Content-Length:  %d \t\r\n\r\n" % len(IMAGE) + IMAGE,
    "chunks": CHUNKED + CHUNKS,
    "chunks, in capitals": b"TRANSFER-ENCODING: CHUNKED\r\n\r\n" + CHUNKS,
    "a size with zeros": CHUNKED + b"000" + CHUNKS,
    "an extension": CHUNKED + CHUNKS.replace(b"5\r\n", b"5;a=b\r\n", 1),
    "a quoted extension": CHUNKED + CHUNKS.replace(b"5\r\n", b'5;a="b;c"\r\n', 1),
    "a trailer": CHUNKED + BARE + b"X-Checksum: y\r\n\r\n",
    "a trailer that is a host": CHUNKED + BARE + b"Host: y\r\n\r\n",
    "a trailer that is an offer": CHUNKED + BARE + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    "a trailer that is the protocol's": CHUNKED + BARE + b"Inference-Header-Content-Length: 5\r\n\r\n",
    "an expectation": b"Expect: 100-continue\r\n" + LENGTH + IMAGE,
}

REFUSED = {
    "length and chunks": b"Transfer-Encoding: chunked\r\n" + LENGTH + CHUNKS,
    "chunks and length": b"Content-Length: 5\r\n" + CHUNKED + CHUNKS,
    "two lengths": b"Content-Length: 5\r\n" + LENGTH + IMAGE,
    "the same length twice": b"Content-Length: %d\r\n" % len(IMAGE) + LENGTH + IMAGE,
    "a list of lengths": b"Content-Length: %d, %d\r\n\r\n" % (len(IMAGE), len(IMAGE)) + IMAGE,
    "a signed length": b"Content-Length: +%d\r\n\r\n" % len(IMAGE) + IMAGE,
    "a negative length": b"Content-Length: -1\r\n\r\n" + IMAGE,
    "a hexadecimal length": b"Content-Length: 0x10\r\n\r\n" + IMAGE,
    "a length in two": b"Content-Length: 1 0\r\n\r\n" + IMAGE,
    "an empty length": b"Content-Length:\r\n\r\n" + IMAGE,
    "an endless length": b"Content-Length: 99999999999999999999999\r\n\r\n" + IMAGE,
    "another coding": b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS,
    "another coding last": b"Transfer-Encoding: chunked, gzip\r\n\r\n" + CHUNKS,
    "no coding": b"Transfer-Encoding: identity\r\n\r\n" + IMAGE,
    "an empty coding": b"Transfer-Encoding:\r\n" + LENGTH + IMAGE,
    "chunks twice": b"Transfer-Encoding: chunked\r\n" + CHUNKED + CHUNKS,
    "nearly chunks": b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKS,
    "chunks with a parameter": b"Transfer-Encoding: chunked;q=1\r\n\r\n" + CHUNKS,
    "chunks behind a tab": b"Transfer-Encoding: \x0bchunked\r\n\r\n" + CHUNKS,
    "a space before the colon": b"Transfer-Encoding : chunked\r\n\r\n" + CHUNKS,
    "a folded line": b"X-A: b\r\n c\r\n" + LENGTH + IMAGE,
    "a folded coding": b"Transfer-Encoding:\r\n chunked\r\n\r\n" + CHUNKS,
    "a folded host": b" y\r\n" + LENGTH + IMAGE,
    "a bare CR": b"X-A: b\rX-B: c\r\n" + LENGTH + IMAGE,
    "a bare CR at the end": LENGTH[:-2] + b"\r" + IMAGE,
    "a bare LF": b"X-A: b\nX-B: c\r\n" + LENGTH + IMAGE,
    "a bare LF at the end": LENGTH[:-2] + b"\n" + IMAGE,
    "a zero byte": b"X-A: b\0c\r\n" + LENGTH + IMAGE,
    "no colon": b"X-A\r\n" + LENGTH + IMAGE,
    "no name": b": b\r\n" + LENGTH + IMAGE,
    "a name of two words": b"X A: b\r\n" + LENGTH + IMAGE,
    "a second host": b"Host: x\r\n" + LENGTH + IMAGE,
    "a size with a space": CHUNKED + CHUNKS.replace(b"5\r\n", b"5 \r\n", 1),
    "a size with a prefix": CHUNKED + b"0x" + CHUNKS,
    "a negative size": CHUNKED + b"-" + CHUNKS,
    "an endless size": CHUNKED + b"fffffffffffffffff\r\n" + CHUNKS,
    "an empty size": CHUNKED + b"\r\n" + CHUNKS,
    "a size before a bare LF": CHUNKED + CHUNKS.replace(b"\r\n", b"\n", 1),
    "an extension with a bare LF": CHUNKED + CHUNKS.replace(b"5\r\n", b"5;a\nb\r\n", 1),
    "an extension with a bare CR": CHUNKED + CHUNKS.replace(b"5\r\n", b"5;a\rb\r\n", 1),
    "a chunk that is too long": CHUNKED + CHUNKS.replace(b"5\r\n", b"4\r\n", 1),
    "a chunk before a bare LF": CHUNKED + CHUNKS.replace(IMAGE[:5] + b"\r\n", IMAGE[:5] + b"\n", 1),
    "a trailer that is a length": CHUNKED + BARE + b"Content-Length: 5\r\n\r\n",
    "a trailer that is a coding": CHUNKED + BARE + b"Transfer-Encoding: chunked\r\n\r\n",
    "a trailer without a colon": CHUNKED + BARE + b"nonsense\r\n\r\n",
    "a trailer before a bare LF": CHUNKED + BARE + b"X: y\n\r\n",
}

OTHER_LINES = {
    "no host": b"GET /v2 HTTP/1.1\r\n\r\n",
    "a host that is a path": b"GET /v2 HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "a host of two words": b"GET /v2 HTTP/1.1\r\nHost: a b\r\n\r\n",
    "two hosts in HTTP/1.0": b"GET /v2 HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
    "chunks in HTTP/1.0": b"POST /predict HTTP/1.0\r\nHost: x\r\n" + CHUNKED + CHUNKS,
    "a tunnel": b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n",
    "a tunnel with a body": b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\nContent-Length: 60\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/1.2": b"GET /v2 HTTP/1.2\r\nHost: x\r\n\r\n",
    "HTTP/0.9": b"GET /v2\r\n",
    "a method in small letters": b"get /v2 HTTP/1.1\r\nHost: x\r\n\r\n",
    "tabs": b"GET\t/v2 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path without a slash": b"GET v2 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path that is not ASCII": "GET /é HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
}

OFFERS = {
    "none": b"",
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
    "websocket": b"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n",
    "TLS": b"Connection: upgrade\r\nUpgrade: TLS/1.0, HTTP/1.1\r\n",
    "anything": b"connection: UPGRADE\r\nconnection: keep-alive\r\nupgrade: foo\r\nupgrade: bar/7\r\n",
    "without its token": b"Upgrade: h2c\r\n",
    "without a protocol": b"Connection: upgrade\r\n",
}
BODIES = {
    "an image": (LENGTH + IMAGE, 200),
    "an image in chunks": (CHUNKED + CHUNKS, 200),
    "a request": (b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED, 400),
    "a request in a chunk": (CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED), 400),
    "nothing": (b"Content-Length: 0\r\n\r\n", 400),
}
SEGMENTS = (1, 3, 50, 100_000)


@pytest.fixture(scope="module")
def server(proven: Path) -> Iterator[Server]:
    with serving(proven, settings="max_header=4000, body_timeout=5, max_unread=2000000") as started:
        yield started
        assert started.process.poll() is None


def said(server: Server, sent: bytes, segment: int = 100_000) -> list[tuple[int, bytes]]:
    """The answers to what is sent in segments of that length: status and body."""
    with server.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(sent), segment):
            sock.sendall(sent[start : start + segment])
        return answers(read_all(sock))


def answers(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        size = int(length[1]) if length else 0
        found.append((int(head.split()[1]), data[:size]))
        data = data[size:]
    return [one for one in found if one[0] != 100]


@pytest.mark.parametrize("segment", SEGMENTS)
@pytest.mark.parametrize("name", ACCEPTED)
def test_a_request_that_is_right_is_read_to_its_end(server: Server, name: str, segment: int) -> None:
    first, last = said(server, CASE + ACCEPTED[name] + LAST, segment)

    assert json.loads(first[1])["label"] == "blue"
    assert last == (200, b'{"live":true}')


@pytest.mark.parametrize("segment", [1, 100_000])
@pytest.mark.parametrize("name", REFUSED | OTHER_LINES)
def test_a_request_whose_end_is_in_doubt_is_refused_and_nothing_after_it_read(
    server: Server, name: str, segment: int
) -> None:
    sent = OTHER_LINES.get(name) or CASE + REFUSED[name]

    ((status, body),) = said(server, sent + LAST, segment)

    assert status in (400, 501, 505)
    assert json.loads(body)["error"]


@pytest.mark.parametrize(("offer", "body", "segment"), list(itertools.product(OFFERS, BODIES, SEGMENTS)))
def test_an_offer_to_upgrade_is_ignored_and_the_body_read(server: Server, offer: str, body: str, segment: int) -> None:
    sent, status = BODIES[body]

    first, last = said(server, CASE + OFFERS[offer] + sent + LAST, segment)

    assert first[0] == status
    assert last == (200, b'{"live":true}')


def test_offers_may_follow_each_other(server: Server) -> None:
    one = CASE + OFFERS["h2c"] + LENGTH + IMAGE

    found = said(server, one * 20 + LAST)

    assert [status for status, _ in found] == [200] * 21


ENDLESS = {
    "trailers": (CHUNKED + BARE, b"X-Trailer: y\r\n" * 5000),
    "one trailer": (CHUNKED + BARE + b"X: ", b"y" * 70_000),
    "an extension": (CHUNKED + b"5;a=", b"b" * 70_000),
    "extensions": (CHUNKED, b"1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n" * 2000),
}


@pytest.mark.parametrize("segment", [1000, 100_000])
@pytest.mark.parametrize("name", ENDLESS)
def test_what_surrounds_a_body_counts_against_the_limit_of_headers(server: Server, name: str, segment: int) -> None:
    ((status, body),) = said(server, CASE + b"".join(ENDLESS[name]), segment)

    assert status == 431
    assert "4,000 bytes" in json.loads(body)["error"]


@pytest.mark.parametrize("segment", [1, 100_000])
def test_a_head_at_the_limit_is_accepted_however_it_is_cut(server: Server, segment: int) -> None:
    counted = len("/v2/health/live") + len("Host: x\r\n") + len("X-A: \r\n") + len("Connection: close\r\n")
    head = LAST.replace(b"Connection", b"X-A: %s\r\nConnection" % (b"a" * (4000 - counted)))

    assert said(server, head, segment) == [(200, b'{"live":true}')]
    ((status, _),) = said(server, head.replace(b"aaa", b"aaaa", 1), segment)
    assert status == 431


def test_a_body_of_tiny_chunks_is_no_offence(server: Server) -> None:
    large = IMAGE * 100  # what follows the image is ignored
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in large) + b"0\r\n\r\n"

    first, _ = said(server, CASE + CHUNKED + chunks + LAST)

    assert first[0] == 200


def test_pipelined_requests_are_all_answered_in_order(server: Server) -> None:
    asked = [b"GET /number/%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(300)]
    images = (CASE + LENGTH + IMAGE) * 5

    found = said(server, b"".join(asked) + images + LAST)

    assert [status for status, _ in found] == [404] * 300 + [200] * 6


def resident(server: Server) -> int:
    """The server's memory, in bytes."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def test_clients_that_send_many_requests_and_read_nothing_cost_little(server: Server) -> None:
    said(server, LAST)
    before = resident(server)
    asked = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 5000
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            sock = stack.enter_context(server.connect())
            sock.setblocking(False)
            sock.send(asked)

        for _ in range(5):  # others are answered meanwhile
            assert said(server, LAST) == [(200, b'{"live":true}')]
        used = resident(server) - before

    assert used < 100 * 2**20


class Starved(Framed):
    """Without memory for what it reads."""

    max_header, is_shut = 1000, False

    def on_body(self, body: bytes) -> None:
        del body
        raise MemoryError

    def on_request(self) -> None:
        pass

    def send_400_response(self, msg: str) -> None:
        del msg
        self.told = self.refusal.status, self.refusal.text


def test_a_request_that_memory_is_too_short_for_is_not_called_broken() -> None:
    loop = asyncio.new_event_loop()
    protocol = Starved(Config(app=lambda: None), ServerState(), app_state={}, _loop=loop)
    protocol.connection_made(asyncio.Transport())

    protocol.data_received(b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")

    loop.close()
    assert protocol.told == (503, "there is not enough memory for this request now: try again later, or send less")
