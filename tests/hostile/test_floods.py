"""While others flood the server, a good client gets every answer, to the byte, and the memory stays.

$LIT_FLOOD_SECONDS is how long each flood lasts. The table that is printed has the good client's p50 and p99 during each
beside those at rest; how fast a machine is that others use as well is asserted nowhere.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT
from tests.hostile.floods import FLOODS
from tests.inference.tiny import encoded
from tests.support.pictures import picture
from tests.support.server.process import Server, command
from tests.support.server.proven import make_proven
from tests.support.server.requests import INFER, binary, element

SECONDS = float(os.environ.get("LIT_FLOOD_SECONDS", "4"))
RATE = 40.0
"""Requests a second of the good client."""
MOST_GROWTH = 300 * 2**20

pytestmark = pytest.mark.slow


class Good:
    """A client that sends the same photo again and again over one connection, and keeps what it gets."""

    def __init__(self, url: str) -> None:
        photo = element(encoded(picture(500, 375), "JPEG", quality=90))
        described = {
            "name": "images",
            "datatype": "BYTES",
            "shape": [1],
            "parameters": {"binary_data_size": len(photo)},
        }
        self._request = binary({"inputs": [described], "parameters": {"binary_data_output": True}}, photo)
        self._client = httpx.Client(base_url=url, timeout=30)
        self.answers: list[tuple[int, bytes]] = []
        self.ms: list[float] = []

    def close(self) -> None:
        """Leave."""
        self._client.close()

    def ask(self) -> None:
        """One request."""
        started = time.perf_counter()
        answer = self._client.post(INFER, **self._request)
        self.ms.append((time.perf_counter() - started) * 1e3)
        self.answers.append((answer.status_code, answer.content))

    def ask_for(self, seconds: float) -> None:
        """Ask at its rate for so many seconds; forget what was before."""
        self.answers, self.ms = [], []
        started = time.monotonic()
        while (elapsed := time.monotonic() - started) < seconds:
            self.ask()
            time.sleep(max(0.0, len(self.ms) / RATE - elapsed))

    def line(self, name: str, used: int, told: str = "") -> str:
        """A row of the table."""
        ordered = sorted(self.ms)
        p50, p99 = (ordered[int(len(ordered) * share)] for share in (0.5, 0.99))
        return f"{name:24} {len(ordered):4} good {p50:7.1f} {p99:7.1f} {ordered[-1]:7.1f} {used / 2**20:5.0f}   {told}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`lit-serve` as a user starts it, whose log nobody reads."""
    folder = tmp_path_factory.mktemp("flooded")
    with command(f"colours={make_proven(folder / 'b')}", cwd=folder) as started:
        yield started


@pytest.fixture
def good(server: Server) -> Iterator[Good]:
    """A client of the server."""
    opened = Good(server.url)
    yield opened
    opened.close()


@contextmanager
def flooded(server: Server, name: str, seconds: float) -> Iterator[dict[str, int]]:
    """The block runs while the flood does; what it was answered is there when the block has ended."""
    line = [sys.executable, "-m", "tests.hostile.floods", name, str(server.port), server.grpc.rpartition(":")[2]]
    answers: dict[str, int] = {}
    pipe = subprocess.PIPE
    with subprocess.Popen([*line, str(seconds)], cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as flood:
        try:
            assert flood.stdout is not None
            assert flood.stdin is not None
            assert flood.stdout.readline() == "ready\n"
            flood.stdin.write("go\n")
            flood.stdin.flush()
            yield answers
            answers.update(json.loads(flood.communicate(timeout=60)[0]))
        finally:
            flood.kill()


def memory(process: int) -> int:
    """Bytes that a process and its children have resident."""
    status = Path(f"/proc/{process}/status").read_text()
    own = int(status.partition("VmRSS:")[2].split()[0]) * 1024
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return own + sum(memory(int(child)) for child in children)


def test_a_good_client_gets_every_answer_during_each_flood_and_memory_stays(
    server: Server, good: Good, capsys: pytest.CaptureFixture[str]
) -> None:
    good.ask_for(1)
    good.ask_for(SECONDS)
    (at_rest,) = set(good.answers)
    before = memory(server.process.pid)
    lines = [good.line("at rest", before)]

    for name in FLOODS:
        with flooded(server, name, SECONDS) as answers:
            good.ask_for(SECONDS)
        assert set(good.answers) == {at_rest}, name
        assert sum(answers.values()), name
        told = ", ".join(f"{count:,} {answer}" for answer, count in sorted(answers.items()))
        lines.append(good.line(name, memory(server.process.pid), told))

    used = memory(server.process.pid) - before
    with capsys.disabled():
        print(f"\n{'flood':24}            p50 ms     p99     max    MB   hostile inputs", *lines, sep="\n")  # noqa: T201
    assert at_rest[0] == 200
    assert used < MOST_GROWTH
    assert server.stop() == 0
