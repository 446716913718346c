"""Whole jobs: in this process, on servers, and on both."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lit_infer.bench import job
from lit_infer.bench.job import Benchmark, run
from lit_infer.bench.scenarios import SCENARIOS
from lit_infer.bench.served.opening import Servers
from lit_infer.errors import GateError, UsageError
from lit_infer.progress import Advance, Listener, listening
from tests.inference.bench.servers import url_of
from tests.support.server.process import Server, serving


def test_a_bundle_and_its_servers_take_turns(proven: Path, server: Server) -> None:
    said: list[str] = []
    servers = Servers([server.url, url_of(server, "grpc")])

    with listening(Listener(note=said.append)):
        result = run(Benchmark(str(proven), servers, batch_sizes=[2], callers=[2], seconds=0.02))

    assert [(row.format, row.via) for row in result.rows] == [
        *[(name, "call") for name in ("onnx", "http", "grpc")],
        *[(name, "submit") for name in ("onnx", "http", "grpc")],
    ]
    assert [(one.format, one.answers_as) for one in result.served] == [("http", "onnx"), ("grpc", "onnx")]
    assert [line.split()[0] for line in said] == ["model", "http", "grpc"]
    assert result.identity == "colours@0123456789ab"
    assert result.failed == 0


@pytest.mark.parametrize("names", [(), ("single-stream", "offline")])
def test_a_server_that_ends_amid_the_work_costs_no_figures(proven: Path, names: tuple[str, ...]) -> None:
    with serving(proven) as going:

        @contextmanager
        def steps(_: str, __: int) -> Iterator[Advance]:
            yield going.process.kill  # after the first turn, or the first scenario

        asked = Benchmark(
            servers=Servers([going.url]), batch_sizes=[1], seconds=0.3, scenarios=[SCENARIOS[name] for name in names]
        )
        with listening(Listener(steps=steps)):
            result = run(asked)

    assert [row.format for row in [*result.rows, *result.scenarios]] == ["http"]
    assert result.as_data()["error"] == str(result.error)
    assert going.url in str(result.error)


def test_a_server_alone_is_measured_without_a_bundle(server: Server) -> None:
    result = run(Benchmark(servers=Servers([server.url]), seconds=0.05, scenarios=[SCENARIOS["single-stream"]]))

    data = result.as_data()
    assert (data["model"], data["digest"]) == ("colours", None)
    assert data["identity"].startswith("colours version 1 on lit-serve ")
    assert [row["format"] for row in data["scenarios"]] == ["http"]
    assert [floor["callers"] for floor in data["served"][0]["floor"]] == [1, 16]


def test_a_server_of_another_model_is_not_measured_beside_a_bundle(
    proven: Path, narrow: Server, key_file: Path
) -> None:
    with pytest.raises(GateError, match="does not give the answers of"):
        run(Benchmark(str(proven), Servers([narrow.url], "other", key_file)))


def test_a_batch_that_was_asked_for_is_measured_or_refused_and_of_a_sweep_it_is_left_out(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []
    servers = Servers([server.url])
    many = 100_000  # 19 MB, and the server takes 16

    with pytest.raises(UsageError, match=rf"--batch-sizes {many} of http: .*the body is larger than"):
        run(Benchmark(servers=servers, batch_sizes=[1, many], seconds=0.01))
    monkeypatch.setattr(job, "SWEEP", (1, 2, many))
    with listening(Listener(warn=notes.append)):
        result = run(Benchmark(servers=servers, seconds=0.01))

    assert [row.batch_size for row in result.rows] == [1, 2]
    assert notes[0].startswith(f"batch {many} of http is left out: ")
