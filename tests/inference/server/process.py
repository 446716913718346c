"""A server in a process of its own, and raw sockets to it."""

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
from lit_infer.server.opening import Opening
from lit_infer.server.repository import Repository
from lit_infer.server.settings import Settings
from lit_infer.server.sources import parse

settings = Settings({settings})
sock = run.bind("127.0.0.1", 0)
repository = Repository(parse([sys.argv[1]]), Opening(device="cpu", {opening}))
app = create_app(repository, settings)
started = lambda: print("serving on", run.address(sock, tls=None), flush=True)
run.serve(app, repository, settings, sock=sock, started=started)
repository.close()
"""
_WHERE = re.compile(r"serving on http://127\.0\.0\.1:(\d+)")


class Server:
    """A running server."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process = process
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
def serving(bundle: Path, *, settings: str = "", opening: str = "") -> Iterator[Server]:
    """A server with these arguments of Settings and Opening, as Python text."""
    yield from _started([sys.executable, "-c", _CODE.format(settings=settings, opening=opening), str(bundle)], "stdout")


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
                    yield Server(process, int(found[1]))
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
