"""A server in a process of its own, and raw sockets to it."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CODE = """
import sys
from lit_infer.server import run
from lit_infer.server.app import create_app
from lit_infer.server.listeners import open_listeners
from lit_infer.server.models.metrics import Metrics
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_infer.server.settings import Settings
from lit_infer.server.models.sources import parse

settings = Settings({settings})
listeners = open_listeners("127.0.0.1", 0, 0 if {grpc} else None)
repository = Repository(parse([sys.argv[1]]), Opening(device="cpu", {opening}))
metrics, grpc = Metrics(), None
if {grpc}:
    from lit_infer.server.grpc.server import create_server

    grpc = create_server(repository, settings, listeners, metrics=metrics)
    print("serving gRPC on", listeners.grpc_address, flush=True)
app = create_app(repository, settings, metrics=metrics)
started = lambda: print({also}"serving on", listeners.http_address, flush=True)
run.serve(app, repository, settings, listeners, grpc=grpc, started=started)
repository.close()
"""
_WHERE = re.compile(r"serving on http://127\.0\.0\.1:(\d+)")
_GRPC = re.compile(r"serving gRPC on (127\.0\.0\.1:\d+)")


class Server:
    """A running server."""

    def __init__(self, process: "subprocess.Popen[str]", port: int, grpc: str = "", told: str = "") -> None:
        self.process = process
        self.told = told
        """What it has said until it was ready."""
        self.grpc = grpc
        """Where it speaks gRPC, if it does."""
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def connect(self) -> socket.socket:
        """A raw connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def serving(
    bundle: Path, *, settings: str = "", opening: str = "", grpc: bool = False, tell: str = ""
) -> Iterator[Server]:
    """A server with these arguments of Settings and Opening, as Python text. `tell`: what it is to say at its start."""
    code = _CODE.format(settings=settings, opening=opening, grpc=grpc, also=f"{tell}, " if tell else "")
    yield from _started([sys.executable, "-c", code, str(bundle)], "stdout")


@contextmanager
def command(*arguments: str, cwd: Path) -> Iterator[Server]:
    """`lit-serve` as a user would start it, on a free port."""
    code = "from lit_infer.server.cli import main; main()"
    yield from _started([sys.executable, "-c", code, *arguments, "--port", "0"], "stderr", cwd)


def _started(line: list[str], where: str, cwd: Path | None = None) -> Iterator[Server]:
    pipe = subprocess.PIPE
    with subprocess.Popen(line, stdout=pipe, stderr=pipe, text=True, cwd=cwd) as process:
        try:
            told = ""
            for text in getattr(process, where):
                told += text
                if found := _WHERE.search(text):
                    grpc = _GRPC.search(told)
                    yield Server(process, int(found[1]), grpc[1] if grpc else "", told)
                    break
            else:
                raise AssertionError(f"it did not start: {told} {process.communicate()}")
        finally:
            process.kill()


def read_all(sock: socket.socket) -> bytes:
    """What comes until the server closes."""
    parts = []
    while True:
        try:
            part = sock.recv(65536)
        except ConnectionResetError:
            part = b""
        if not part:
            return b"".join(parts)
        parts.append(part)


def refused(*arguments: str, **environment: str) -> tuple[int, str]:
    code = "from lit_infer.server.cli import main; main()"
    line = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(line, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr
