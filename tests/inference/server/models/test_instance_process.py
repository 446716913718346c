"""The program of an instance process, over the socket pair that the server gives it."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from lit_infer.errors import EngineError, NotFoundError
from lit_infer.server.models import instance_messages as messages
from lit_infer.server.models import instance_process
from lit_infer.server.models.batches import Answered, Work
from lit_infer.server.models.instances import LoadOptions, open_here
from tests.support.server.requests import png

CPU = LoadOptions(device="cpu", threads=1)
PROGRAM = "from lit_infer.server.models.instance_process import main; main()"


@pytest.fixture
def started() -> Iterator[tuple["subprocess.Popen[bytes]", Connection]]:
    """A process that runs the program, and our end of its socket pair."""
    ours, theirs = socket.socketpair()
    line = [sys.executable, "-c", PROGRAM, str(theirs.fileno())]
    with subprocess.Popen(line, pass_fds=[theirs.fileno()]) as process:
        theirs.close()
        with Connection(ours.detach()) as connection:
            yield process, connection
        process.kill()


def test_it_opens_the_model_answers_batches_and_exits_with_the_server(
    proven: Path, started: tuple["subprocess.Popen[bytes]", Connection]
) -> None:
    process, server = started
    server.send_bytes(messages.encode(messages.Start(str(proven), CPU)))
    opened = messages.decode(server.recv_bytes(), messages.Ready).opened
    server.send_bytes(messages.encode([Work(png(), (), 1, 0.0), Work(b"none", (), 1, 0.0)]))
    good, bad = messages.answered(messages.decode(server.recv_bytes(), messages.Reply)).answers

    server.close()

    assert (opened.manifest.name, opened.count) == ("colours", 1)
    assert not isinstance(good, Exception)
    assert isinstance(bad, Exception)
    assert process.wait(20) == 0


def test_a_model_that_cannot_be_opened_is_reported_and_ends_it(
    tmp_path: Path, started: tuple["subprocess.Popen[bytes]", Connection]
) -> None:
    process, server = started
    server.send_bytes(messages.encode(messages.Start(str(tmp_path / "none"), CPU)))

    found = messages.error(messages.decode(server.recv_bytes(), messages.Failure))

    assert isinstance(found, NotFoundError)
    assert process.wait(20) == 0


def test_when_its_engine_has_died_it_says_so_and_ends(proven: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = open_here(proven, CPU)
    ours, theirs = Pipe()
    dies = Answered([EngineError("restarted")], death=RuntimeError("CUDA error"))
    monkeypatch.setattr(here, "answer", lambda _: dies)
    monkeypatch.setattr(instance_process, "open_here", lambda *_, **__: here)
    monkeypatch.setattr(instance_process.gc, "freeze", lambda: None)
    ours.send_bytes(messages.encode(messages.Start("b", CPU)))
    ours.send_bytes(messages.encode([Work(png(), (), 1, 0.0)]))

    instance_process.serve(theirs)

    assert messages.decode(ours.recv_bytes(), messages.Ready).opened == here.opened
    reply = messages.decode(ours.recv_bytes(), messages.Reply)
    assert reply.death == "RuntimeError: CUDA error"
    ours.close()
    theirs.close()
    here.close()
