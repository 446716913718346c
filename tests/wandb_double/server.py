"""The double's HTTP: keys, GraphQL, the file stream and the storage."""

import base64
import binascii
import gzip
import json
import re
import socket
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.wandb_double import faults
from tests.wandb_double.graphql import HANDLERS, RefusedError
from tests.wandb_double.state import State

KEY = "0123456789" * 4
_REFUSALS: dict[faults.Kind | None, int] = {"error": 500, "busy": 503, "limit": 429}


class Double:
    """A server on a loopback port, its state, its switches, and what it was asked."""

    def __init__(self) -> None:
        self.state = State()
        self.user = "user"
        self.entities = ["user", "team"]
        """What the key may see and change."""
        self.keys = {KEY}
        self.read_only = False
        self.faults: list[faults.Fault] = []
        self.ranges: list[str | None] = []
        """The `Range` of each request."""
        self.requests: list[str] = []
        """Labels such as `graphql Viewer` and `GET storage/user/…`, as they arrived."""
        self.unknown: list[str] = []
        """What it could not answer: a test that leaves any here fails."""
        self.closing = threading.Event()
        self.lock = threading.RLock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.double = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def start(self) -> "Double":
        """Answer from now on."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Let stalled requests go, and stop."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def fault(self, at: str, kind: faults.Kind, times: int = 1_000_000) -> None:
        """Make requests go wrong; see `faults.Fault`."""
        self.faults.append(faults.Fault(at, kind, times))

    def asked(self, label: str) -> list[str]:
        """The requests so far whose label begins so."""
        return [request for request in self.requests if request.startswith(label)]


class _Server(ThreadingHTTPServer):
    double: Double
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of the double's; anything else is."""
        del request, client_address
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError | TimeoutError):
            self.double.unknown.append(f"crashed: {error!r}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's word for it
        """Nothing: `Double.requests` is the log."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        double = self.server.double
        path = unquote(urlsplit(self.path).path).strip("/")
        body = self._body()
        asked = json.loads(body) if path == "graphql" else {}
        label = f"graphql {_operation(asked)}" if path == "graphql" else f"{self.command} {path}"
        if path.endswith("/file_stream"):
            label = f"POST file_stream {path}"
        double.requests.append(label)
        double.ranges.append(self.headers.get("Range"))
        if path.startswith("sdk/otel/"):  # telemetry, unless WANDB_ERROR_REPORTING=false
            return self._send(200, b"{}")
        fault = faults.take(double.faults, label)
        if fault in _REFUSALS:
            return self._send(_REFUSALS[fault], b'{"error": "the double was told to fail"}', fault)
        if (path == "graphql" or label.startswith("POST file_stream")) and not self._key_is_right():
            return self._send(401, b'{"errors": [{"message": "user is not logged in"}]}')
        with double.lock:
            status, answer = self._route(label, path, asked, body)
        return self._send(status, answer, fault)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            raw = b"".join(chunks)
        else:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            return gzip.decompress(raw)
        return raw

    def _key_is_right(self) -> bool:
        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        try:
            return kind == "Basic" and base64.b64decode(given).decode().partition(":")[2] in self.server.double.keys
        except (binascii.Error, UnicodeDecodeError):
            return False

    def _route(self, label: str, path: str, asked: dict[str, Any], body: bytes) -> tuple[int, bytes]:
        state = self.server.double.state
        first, _, rest = path.partition("/")
        if path == "graphql":
            return self._graphql(asked)
        if label.startswith("POST file_stream"):
            _, entity, project, run, _ = path.split("/")
            state.run(entity, project, run).streamed.append(json.loads(body))
            return 200, b"{}"
        if first == "run-files" and self.command == "PUT":
            entity, project, run, name = rest.split("/", 3)
            state.run(entity, project, run).files[name] = body
            return 200, b""
        if first == "storage":
            return self._stored(state.storage, rest, body)
        if first == "manifests" and rest in state.manifests:
            if self.command == "PUT":
                state.manifests[rest].manifest = body
            return 200, state.manifests[rest].manifest if self.command == "GET" else b""
        self.server.double.unknown.append(label)
        return 404, b""

    def _stored(self, storage: dict[str, bytes], key: str, body: bytes) -> tuple[int, bytes]:
        if self.command == "PUT":
            storage[key] = body
            return 200, b""
        return (200, storage[key]) if key in storage else (404, b"")

    def _graphql(self, asked: dict[str, Any]) -> tuple[int, bytes]:
        double, name = self.server.double, _operation(asked)
        if name not in HANDLERS:
            double.unknown.append(f"graphql {name}: {asked.get('query', '')[:2000]}")
            return 200, json.dumps({"errors": [{"message": f"the double does not know {name}"}]}).encode()
        try:
            data = HANDLERS[name](double, asked.get("variables") or {})
        except RefusedError as error:
            return error.status, json.dumps({"data": None, "errors": [{"message": str(error)}]}).encode()
        except Exception as error:
            double.unknown.append(f"graphql {name} crashed: {error!r} on {json.dumps(asked.get('variables'))[:2000]}")
            return 200, json.dumps({"errors": [{"message": f"the double failed: {error!r}"}]}).encode()
        return 200, json.dumps({"data": data}).encode()

    def _part(self, body: bytes, fault: faults.Kind | None) -> tuple[int, bytes, str | None]:
        """What was asked for with `Range`, and its place in the whole."""
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if found is None or fault == "whole":
            return 200, body, None
        start = int(found[1]) - (1000 if fault == "shifted" else 0)
        return 206, body[start:], f"bytes {start}-{len(body) - 1}/{len(body)}"

    def _send(self, status: int, body: bytes, fault: faults.Kind | None = None) -> None:
        place = None
        if status == 200 and self.command == "GET":
            status, body, place = self._part(body, fault)
        if fault == "corrupt":
            body = faults.corrupted(body)
        if fault == "short":
            body = body[: len(body) // 2]
        if fault == "stall" and not body:
            self.server.double.closing.wait()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if place is not None:
            self.send_header("Content-Range", place)
        if fault == "limit":
            self.send_header("Retry-After", "1")
        self.end_headers()
        if fault in ("stall", "drop", "reset"):
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            if fault == "stall":
                self.server.double.closing.wait()
            self.close_connection = True
            if fault == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
        else:
            self.wfile.write(body)


def _operation(asked: dict[str, Any]) -> str:
    found = re.search(r"\b(?:query|mutation)\s+(\w+)", asked.get("query", ""))
    return found[1] if found else "?"
