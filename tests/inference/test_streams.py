"""A closed or full standard error neither stops a command nor changes its exit code."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.inference.tiny import colour, make_bundle, save
from tests.support.server.proven import make_proven
from tests.support.server.requests import png
from tests.support.server.waiting import until

INFER = "from lit_infer.cli import main; main()"
SERVE = "from lit_infer.server.cli import main; main()"
ENDS = ("2>&-", "2>/dev/full", "<&- 2>&-", "2> >(true)")


def run(code: str, *arguments: str, redirected: str) -> "subprocess.CompletedProcess[str]":
    line = f'exec "$@" {redirected}'
    words = ["/bin/bash", "-c", line, "bash", sys.executable, "-c", code, *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("redirected", ENDS)
def test_a_command_works_without_its_standard_error(tmp_path: Path, redirected: str) -> None:
    bundle, image = make_bundle(tmp_path / "b"), save(tmp_path / "a.png", colour("red"))

    done = run(INFER, str(image), "--model", str(bundle), "--device", "cpu", "--json", redirected=redirected)

    assert done.returncode == 0
    assert '"label":"red"' in done.stdout.replace(" ", "")


@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full"])
def test_a_mistake_keeps_its_exit_code(tmp_path: Path, redirected: str) -> None:
    done = run(INFER, "none.png", "--model", str(tmp_path / "none"), redirected=redirected)

    assert done.returncode == 2


def test_a_socket_never_becomes_the_standard_error() -> None:
    code = (
        "import os, socket, sys; from lit_infer import streams; streams.repair();"
        "s = socket.socket(); print(s.fileno() > 2, file=sys.stdout); os.write(2, b'x'); print('x', file=sys.stderr)"
    )

    assert run(code, redirected="<&- 2>&-").stdout == "True\n"


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v2/health/ready").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def port() -> int:
    """A free one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
        return number


@pytest.fixture
def full() -> Iterator[tuple[int, int]]:
    """The two ends of a pipe into which nothing more fits."""
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(theirs, bytes(4096))
    os.set_blocking(theirs, True)
    yield ours, theirs
    os.close(ours)


def read_to_the_end(descriptor: int) -> bytes:
    return b"".join(iter(lambda: os.read(descriptor, 65536), b""))


@pytest.mark.parametrize("is_read_later", [False, True])
def test_a_server_starts_answers_and_ends_while_its_standard_error_is_a_full_pipe(
    tmp_path: Path, port: int, full: tuple[int, int], is_read_later: bool
) -> None:
    words = [sys.executable, "-c", SERVE, str(make_proven(tmp_path / "b")), "--no-grpc", "--port", str(port)]
    ours, theirs = full

    with subprocess.Popen(words, cwd=tmp_path, stderr=theirs) as server:
        os.close(theirs)
        try:
            until(lambda: server.poll() is not None or is_ready(f"http://127.0.0.1:{port}"))
            for _ in range(20):
                with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
                    sock.sendall(b"nonsense\r\n\r\n")  # which is a line of the log, too
                    assert sock.recv(1000).startswith(b"HTTP/1.1 400")
            answer = httpx.post(f"http://127.0.0.1:{port}/predict", content=png("green"))
            told = read_to_the_end(ours) if is_read_later and server.terminate() is None else b""
            server.terminate()
            assert (answer.json()["label"], server.wait(30)) == ("green", 0)
        finally:
            server.kill()
    assert (b"serving on" in told) == (b"/predict" in told) == (b"A request was refused" in told) == is_read_later


def test_lines_that_nobody_reads_are_lost_and_counted_and_delay_nobody() -> None:
    code = (
        "import sys; from lit_infer import streams; streams.repair(); streams.wait_for_nobody()\n"
        "for n in range(30_000): print(n, 'x' * 90, file=sys.stderr)\n"
        "print('done', flush=True)\n"
        "sys.stdin.read()\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"done\n"
        first = process.stderr.readline()
        _, rest = process.communicate(timeout=30)

    lines = (first + rest).splitlines()
    lost = [json.loads(line)["lost_log_lines"] for line in lines if line.startswith(b"{")]
    assert lines[0].startswith(b"0 x")
    assert lost
    assert len(lines) - len(lost) + sum(lost) == 30_000


@pytest.mark.parametrize("redirected", ENDS)
def test_a_server_starts_answers_and_ends_without_its_standard_error(
    tmp_path: Path, port: int, redirected: str
) -> None:
    words = [sys.executable, "-c", SERVE, str(make_proven(tmp_path / "b")), "--no-grpc", "--port", str(port)]

    line = ["/bin/bash", "-c", f'exec "$@" {redirected}', "bash", *words]
    with subprocess.Popen(line, cwd=tmp_path) as server:
        try:
            until(lambda: server.poll() is not None or is_ready(f"http://127.0.0.1:{port}"))
            answer = httpx.post(f"http://127.0.0.1:{port}/predict", content=png("green"))
            server.terminate()
            assert (answer.json()["label"], server.wait(30)) == ("green", 0)
        finally:
            server.kill()
