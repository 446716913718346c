"""Connections that break, each to a real socket."""

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lit_infer.bench.served import http_connection
from lit_infer.bench.served.address import parse
from lit_infer.bench.served.http_connection import HttpConnection
from lit_infer.bench.served.opening import Servers
from lit_infer.errors import EngineError, LitError, UsageError
from tests.support.server.process import Server

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@contextmanager
def answering(*answers: bytes) -> Iterator[HttpConnection]:
    """A connection to a server that accepts once for each answer, gives it, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for answer in answers:
                accepted, _ = listening.accept()
                with accepted:
                    accepted.recv(65536)
                    accepted.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        connection = HttpConnection(parse(f"http://127.0.0.1:{listening.getsockname()[1]}"), {}, None)
        yield connection
        thread.join(10)
        connection.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def test_a_connection_that_the_server_closed_meanwhile_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "IDLE_S", 0.0)
    with answering(OK, OK) as connection:
        for _ in range(2):
            connection.wake()
            connection.live()


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (b"", EngineError, "hung up"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", EngineError, "IncompleteRead"),
        (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" * 3, UsageError, "does not speak HTTP/1.1; the gRPC port is grpc://"),
        (b'HTTP/1.1 503 Busy\r\nContent-Length: 16\r\n\r\n{"error":"busy"}', LitError, ": busy"),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\n<>", EngineError, r"failed \(500\): status 500"),
    ],
)
def test_an_answer_that_is_none_is_an_error_of_one_line(answer: bytes, kind: type[LitError], says: str) -> None:
    with answering(answer) as connection, pytest.raises(kind, match=says) as error:
        connection.live()

    assert "\n" not in str(error.value)


@pytest.mark.parametrize("protocol", ["http", "https", "grpc", "grpcs"])
def test_where_nothing_listens_it_says_so(protocol: str) -> None:
    with pytest.raises(EngineError, match="nothing listens at"):
        Servers([f"{protocol}://127.0.0.1:{free_port()}"]).open()


def test_the_wrong_protocol_names_the_right_one(server: Server) -> None:
    for url, says in (
        (f"http://{server.grpc}", "the gRPC port is grpc://"),
        (f"grpc://127.0.0.1:{server.port}", "speaks HTTP/1.1, not gRPC: write http://127.0.0.1"),
        (f"https://127.0.0.1:{server.port}", "without TLS, write http://"),
        (f"grpcs://{server.grpc}", "without TLS, write grpc://"),
    ):
        with pytest.raises(UsageError, match=says):
            Servers([url]).open()


def test_another_kind_of_server_is_none_of_the_protocol() -> None:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Quiet) as other:
        threading.Thread(target=other.serve_forever, args=(0.01,), daemon=True).start()
        with pytest.raises(UsageError, match="is not a server of the Open Inference Protocol v2"):
            Servers([f"http://127.0.0.1:{other.server_port}"]).open()
        other.shutdown()


def test_certificates_that_cannot_be_read_are_refused() -> None:
    for scheme in ("https", "grpcs"):
        with pytest.raises(UsageError, match=r"--ca nowhere\.pem: No such file"):
            Servers([f"{scheme}://127.0.0.1:1"], ca=Path("nowhere.pem")).open()
