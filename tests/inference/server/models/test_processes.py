"""Models in processes of their own: the same answers, and their crashes are not the server's."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from lit_infer.errors import ArtifactError, EngineError, InputError, NotFoundError
from lit_infer.server.app import create_app
from lit_infer.server.models.batches import Answer, Work, engine_failed
from lit_infer.server.models.instances import InThreads, LoadOptions, open_here
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.processes import InProcesses, open_isolated
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import parse
from tests.inference.tiny import LABELS, colour
from tests.support.server.client import Client
from tests.support.server.endless import make_endless, white
from tests.support.server.process import command, serving
from tests.support.server.proven import make_proven
from tests.support.server.requests import png, tensor
from tests.support.server.waiting import until

INFER = "/v2/models/colours/infer"
GOOD = {"json": {"inputs": [tensor()]}}
CPU = LoadOptions(device="cpu", threads=2)


@pytest.fixture(scope="module")
def isolated(proven: Path) -> Iterator[InProcesses]:
    """The tiny model in two processes."""
    opened = open_isolated(proven, CPU, 2)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def here(proven: Path) -> Iterator[InThreads]:
    """The same in this one."""
    opened = open_here(proven, CPU)
    yield opened
    opened.close()


def image(data: bytes) -> Work:
    return Work(data, (), 1, 0.0)


def rows(array: Any) -> Work:
    return Work(None, (array,), len(array), 0.0)


def said(answers: list[Answer | Exception]) -> list[Any]:
    """What can be compared: an error's kind, text and code, or an output's bytes."""
    return [
        (type(one), str(one), getattr(one, "code", None))
        if isinstance(one, Exception)
        else [(array.dtype, array.shape, array.tobytes()) for array in one.outputs]
        for one in answers
    ]


def test_a_batch_is_answered_as_in_threads_bit_for_bit_errors_too(isolated: InProcesses, here: InThreads) -> None:
    prepared = np.stack([colour(label, 90) for label in LABELS])
    batch = [image(png("red")), image(b""), rows(prepared), image(png("blue")[:40]), image(b"GIF89a"), image(png())]

    ours, theirs = here.answer(batch), isolated.answer(batch)

    assert said(theirs.answers) == said(ours.answers)
    assert [type(one) for one in theirs.answers] == [Answer, InputError, Answer, InputError, InputError, Answer]
    assert [one.rows for one in theirs.executions] == [one.rows for one in ours.executions] == [5]
    assert theirs.death is None


def test_what_was_opened_is_told_as_in_threads(isolated: InProcesses, here: InThreads) -> None:
    assert isolated.opened == here.opened
    assert (isolated.opened.count, isolated.opened.engine, isolated.opened.file) == (
        2,
        "onnxruntime CPUExecutionProvider",
        "model.onnx",
    )


def test_an_input_that_the_graph_cannot_run_fails_alone(isolated: InProcesses) -> None:
    odd, good = rows(np.zeros((1, 3, 5, 3), np.uint8)), image(png())

    wrong, right = isolated.answer([odd, good]).answers

    assert isinstance(wrong, InputError)
    assert wrong.code == "bad_shape"
    assert isinstance(right, Answer)


def test_signals_of_a_terminal_or_a_service_manager_are_the_servers_business(isolated: InProcesses) -> None:
    for pid in isolated.pids:
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(pid, number)

    for _ in isolated.pids:
        assert isinstance(isolated.answer([image(png())]).answers[0], Answer)


def test_they_end_when_they_are_closed(proven: Path) -> None:
    opened = open_isolated(proven, CPU, 2)
    own = opened.pids

    opened.close()
    opened.close()

    for pid in own:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_process_that_is_gone_is_told_with_its_signal(proven: Path) -> None:
    opened = open_isolated(proven, CPU, 1)
    lost: list[Exception] = []
    opened.watch(lost.append)
    (pid,) = opened.pids
    os.kill(pid, signal.SIGSEGV)

    for _ in range(2):
        with pytest.raises(EngineError, match=f"process {pid} was killed by signal 11"):
            opened.answer([image(png())])
    assert {str(error) for error in lost} == {f"process {pid} was killed by signal 11"}
    opened.close()


@pytest.fixture
def served(proven: Path) -> Iterator[Repository]:
    """The tiny model in two processes of a server."""
    opened = Repository(parse([str(proven)]), Opening(device="cpu", max_batch=8, max_delay=0.5, processes=2))
    yield opened
    opened.close()


def pids(repository: Repository) -> list[int]:
    found: Any = repository.slots[0].served
    return list(found._instances.pids)


def test_a_crash_fails_what_was_in_hand_and_nothing_else(served: Repository, caplog: pytest.LogCaptureFixture) -> None:
    client, before = Client(create_app(served)), pids(served)
    for pid in before:
        os.kill(pid, signal.SIGSTOP)  # so that each holds what it is sent
    runner = served.slots[0].served.runner  # type: ignore[union-attr]
    inside = [runner.submit_image(png(), timeout=None) for _ in range(16)]
    until(lambda: runner.waiting == 0)

    os.kill(before[0], signal.SIGKILL)
    until(lambda: sum(future.done() for future in inside) >= 8)
    os.kill(before[1], signal.SIGCONT)

    told = [future.exception(20) for future in inside]
    assert sorted(str(error) for error in told) == ["None"] * 8 + [str(engine_failed(runner.manifest))] * 8
    assert served.is_ready()
    until(lambda: len(pids(served)) == 2)
    assert before[1] in pids(served)
    assert f"process {before[0]} was killed by signal 9; starting another process" in caplog.text
    client.close()


def test_when_all_are_lost_the_model_is_opened_again(served: Repository) -> None:
    client, before = Client(create_app(served)), pids(served)

    for pid in before:
        os.kill(pid, signal.SIGKILL)
    until(lambda: served.is_ready() and len(set(pids(served)) - set(before)) == 2)

    assert set(before).isdisjoint(pids(served))
    assert client.post(INFER, **GOOD).status_code == 200
    client.close()


def test_one_that_ends_while_idle_is_replaced_before_anybody_asks(served: Repository) -> None:
    client, (first, second) = Client(create_app(served)), pids(served)

    os.kill(first, signal.SIGKILL)
    until(lambda: first not in pids(served))
    answers = [client.post(INFER, **GOOD).status_code for _ in range(4)]
    until(lambda: len(pids(served)) == 2)

    assert answers == [200] * 4
    assert second in pids(served)
    client.close()


def test_another_is_tried_until_one_can_be_opened(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bundle = make_proven(tmp_path / "b")
    opened = open_isolated(bundle, CPU, 2)
    hidden = bundle.rename(tmp_path / "away")

    os.kill(opened.pids[0], signal.SIGKILL)
    until(lambda: "another process could not be started" in caplog.text)
    hidden.rename(bundle)
    until(lambda: len(opened.pids) == 2)

    assert [type(opened.answer([image(png())]).answers[0]) for _ in range(4)] == [Answer] * 4
    opened.close()


@pytest.mark.parametrize("way", ["threads", "processes"])
def test_a_model_that_cannot_be_served_is_refused_with_the_same_words(tmp_path: Path, way: str) -> None:
    wrong, missing = make_proven(tmp_path / "b", wrong=True), tmp_path / "none"

    def opened(path: Path) -> None:
        _ = open_here(path, CPU) if way == "threads" else open_isolated(path, CPU, 2)

    with pytest.raises(ArtifactError, match=r"model\.onnx must not be served: it differs"):
        opened(wrong)
    with pytest.raises(NotFoundError, match="none"):
        opened(missing)


def test_without_their_server_they_end(proven: Path) -> None:
    with serving(proven, opening="processes=2", tell="repository.slots[0].served._instances.pids") as server:
        found = server.told.rpartition("[")[2].partition("]")[0]
        own = [int(pid) for pid in found.split(",")]
        server.process.kill()
        server.process.wait()

        until(lambda: not any(lives(pid) for pid in own))

    assert len(own) == 2


def test_one_that_hangs_ends_too(tmp_path: Path) -> None:
    endless = make_endless(tmp_path / "colours")
    with serving(endless, opening="processes=1", tell="repository.slots[0].served._instances.pids") as server:
        (pid,) = (int(one) for one in server.told.rpartition("[")[2].partition("]")[0].split(","))
        used = processor_time(pid)
        with contextlib.suppress(httpx.ReadTimeout):
            httpx.post(f"{server.url}/predict", content=white(), timeout=3)
        until(lambda: processor_time(pid) > used + 50)  # half a second: it is in the graph
        server.process.kill()
        server.process.wait()

        until(lambda: not lives(pid))


def processor_time(pid: int) -> int:
    """Hundredths of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def lives(pid: int) -> bool:
    """Whether it has not ended; one that nobody has waited for yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_command_serves_from_processes(proven: Path, tmp_path: Path) -> None:
    with command(str(proven), "--processes", "2", cwd=tmp_path) as server:
        answer = httpx.post(f"{server.url}/predict", content=png("green"))
        config = httpx.get(f"{server.url}/v2/models/colours/config").json()
        assert server.stop() == 0

    assert answer.json()["label"] == "green"
    assert config["instance_group"] == [{"count": 2, "kind": "KIND_CPU"}]


def test_a_module_of_the_working_directory_is_not_run(proven: Path, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('this is not numpy')")
    monkeypatch.chdir(tmp_path)

    open_isolated(proven, CPU, 1).close()
