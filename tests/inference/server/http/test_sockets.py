"""Clients that are slow, endless or too many are closed on time, and others do not notice."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.server.process import Server, read_all, serving
from tests.support.server.requests import png, tensor

SHORT = "header_timeout=0.4, body_timeout=0.6, idle_timeout=0.5, max_connections=8, max_header=2000"
INFER = "/v2/models/colours/infer"


@pytest.fixture(scope="module")
def server(proven: Path) -> Iterator[Server]:
    """One with short limits."""
    with serving(proven, settings=SHORT) as started:
        yield started


@pytest.fixture(scope="module")
def strict(proven: Path) -> Iterator[Server]:
    """One that takes small bodies, and has time. It may say that a request was wrong, but has no traceback to show."""
    with serving(proven, settings="max_body=1000") as started:
        yield started
        assert started.stop() == 0
        assert started.process.stderr is not None
        assert "Traceback" not in started.process.stderr.read()


@pytest.fixture(autouse=True)
def _still_answers(server: Server) -> Iterator[None]:
    yield
    assert httpx.post(server.url + INFER, json={"inputs": [tensor()]}).status_code == 200
    assert server.process.poll() is None


def refused(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head
    assert b"connection: close" in head
    return int(head.split()[1]), json.loads(body)["error"]


def test_a_connection_that_says_nothing_is_closed(server: Server) -> None:
    with server.connect() as sock:
        assert read_all(sock) == b""


@pytest.mark.parametrize("sent", [b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX-Half"])
def test_half_a_header_is_closed(server: Server, sent: bytes) -> None:
    with server.connect() as sock:
        sock.sendall(sent)

        assert refused(read_all(sock)) == (408, "the headers did not arrive in 0.4 s")


def test_empty_lines_are_no_way_to_stay(server: Server) -> None:
    with server.connect() as sock:
        sock.settimeout(0.1)
        for _ in range(100):  # ten seconds of them would be far too long
            try:
                sock.sendall(b"\r\n")
                if sock.recv(100) == b"":
                    return
            except TimeoutError:
                continue
            except ConnectionError:
                return
    pytest.fail("the connection stayed open")


@pytest.mark.parametrize("path", [INFER, "/predict", "/v2/health/live", "/nothing"])
def test_a_body_that_does_not_come_is_closed(server: Server, path: str) -> None:
    with server.connect() as sock:
        sock.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n[".encode())

        answer = read_all(sock)

    assert answer.split()[1] in (b"408", b"405", b"404")
    if path in (INFER, "/predict"):
        assert refused(answer) == (408, "the body did not arrive in 0.6 s")


def test_a_dripping_body_is_closed(server: Server) -> None:
    with server.connect() as sock:
        sock.sendall(f"POST {INFER} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        sock.settimeout(0.05)
        for _ in range(200):
            try:
                sock.sendall(b"1\r\n[\r\n")
                if sock.recv(100).startswith(b"HTTP/1.1 408"):
                    return
            except TimeoutError:
                continue
            except ConnectionError:
                return
    pytest.fail("the connection stayed open")


def test_an_idle_connection_is_closed_after_its_last_answer(server: Server) -> None:
    with server.connect() as sock:
        sock.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")

        assert read_all(sock).endswith(b'{"live":true}')


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /v2 HTTP/1.1\r\nX-Long: " + b"x" * 2500,
        b"GET /v2 HTTP/1.1\r\nX-Long: " + b"x" * 2500 + b"\r\n\r\n",
        b"GET /" + b"x" * 2500,
        b"GET /" + b"x" * 2500 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v2 HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(400)),
    ],
)
def test_long_headers_are_refused(server: Server, sent: bytes) -> None:
    with server.connect() as sock:
        sock.sendall(sent)

        assert refused(read_all(sock))[0] == 431


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00", b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"G\0T / HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_http_is_refused_in_json(server: Server, sent: bytes) -> None:
    with server.connect() as sock:
        sock.sendall(sent)

        status, text = refused(read_all(sock))

    assert status == 400
    assert text.startswith("this is not an HTTP request")


def test_too_many_connections_are_told_so_at_once(server: Server) -> None:
    socks = [server.connect() for _ in range(8)]
    for sock in socks:
        sock.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(1000).startswith(b"HTTP/1.1 200")
    with server.connect() as one_more:
        answer = read_all(one_more)
    for sock in socks:
        sock.close()

    assert refused(answer)[0] == 503
    assert b"retry-after: 1" in answer
    while httpx.get(server.url + "/v2").status_code == 503:  # until it has noticed that they are closed
        pass


def test_a_connection_is_kept_and_pipelined_requests_are_answered_in_order(server: Server) -> None:
    with server.connect() as sock:
        live, ready = (b"GET /v2/health/%s HTTP/1.1\r\nHost: x\r\n\r\n" % name for name in (b"live", b"ready"))
        body = png()
        predict = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        sock.sendall(predict + live + predict + ready)

        answer = read_all(sock)

    assert answer.count(b"HTTP/1.1 200 OK") == 4
    places = [answer.index(b'"label"'), answer.index(b'{"live"'), answer.rindex(b'"label"'), answer.index(b'{"ready"')]
    assert places == sorted(places)


@pytest.mark.parametrize("headers", ["Connection: close\r\nContent-Length: 20000000", "Content-Length: 20000000"])
@pytest.mark.parametrize("path", [INFER, "/nothing"])
def test_a_client_that_reads_only_when_it_has_sent_everything_gets_its_refusal(
    strict: Server, path: str, headers: str
) -> None:
    with strict.connect() as sock:
        sock.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n".encode())
        sock.sendall(bytes(20_000_000))
        sock.shutdown(socket.SHUT_WR)

        assert read_all(sock).split()[1] == (b"413" if path == INFER else b"404")


def talk(sock: socket.socket) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        sock.sendall(b"hello again")
        time.sleep(0.01)


def test_one_that_goes_on_after_its_refusal_is_closed(server: Server) -> None:
    with server.connect() as sock:
        sock.sendall(b"hello\r\n\r\n")
        assert refused(read_all(sock))[0] == 400
        with pytest.raises(ConnectionError):
            talk(sock)


@pytest.mark.parametrize("garbage", [b"hello\r\n\r\n", b"GET /v2 HTTP/1.1\r\nX-Long: " + b"x" * 2500, b"GET /v2 HT"])
def test_an_answer_that_is_owed_comes_before_a_refusal_and_is_the_last(server: Server, garbage: bytes) -> None:
    body = png()
    with server.connect() as sock:
        sock.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body + garbage)

        answer = read_all(sock)

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b'"label"' in answer


@pytest.mark.parametrize("more", [0, 1])
def test_a_request_that_breaks_off_behind_others_takes_no_answer_from_them(strict: Server, more: int) -> None:
    body, broken = png(), b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n"
    good = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with strict.connect() as sock:
        sock.sendall(good * (1 + more) + broken)

        answer = read_all(sock)

    assert answer.count(b"HTTP/1.1 200 OK") == answer.count(b"HTTP/1.1") == 1 + more
    assert answer.count(b"connection: close") == 1


def test_a_client_that_leaves_costs_nobody_anything(server: Server) -> None:
    body = json.dumps({"inputs": [tensor()]}).encode()
    head = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    for cut in (len(head) // 2, len(head) + 10, len(head) + len(body)):
        with server.connect() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # close by a reset
            sock.sendall((head + body)[:cut])


def test_a_head_without_a_body_is_sent(server: Server) -> None:
    assert httpx.head(f"{server.url}/openapi.json").headers["content-length"] == str(
        len(httpx.get(f"{server.url}/openapi.json").content)
    )
