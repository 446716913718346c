"""The scenarios over the wire, under both drivers."""

import threading
from collections.abc import Callable
from itertools import product

import pytest

from lit_infer.bench import loadgen
from lit_infer.bench.own_driver import OwnDriver
from lit_infer.bench.scenarios import SCENARIOS, Driver, ScenarioRow, run
from lit_infer.bench.served.model import ServedModel
from lit_infer.bench.served.opening import Servers
from tests.inference.bench.servers import counted, url_of
from tests.support.server.process import Server


def driver(name: str) -> Driver:
    return OwnDriver() if name == "own" else loadgen.LoadgenDriver(pytest.importorskip("mlperf_loadgen"))


def rows(model: ServedModel, by: str, *names: str, rate: float | None = None) -> list[ScenarioRow]:
    chosen = [SCENARIOS[name] for name in names]
    return list(run([model], chosen, driver=driver(by), seconds=0.05, bound=5.0, rate=rate))


@pytest.mark.parametrize(("by", "protocol"), [*product(("own", "mlperf_loadgen"), ("http", "grpc"))])
def test_each_scenario_asks_a_server_for_what_it_reports(by: str, protocol: str, server: Server) -> None:
    (model,) = Servers([url_of(server, protocol)]).open()
    before = counted(server)

    found = rows(model, by, *SCENARIOS, rate=300.0)

    assert [row.scenario for row in found] == list(SCENARIOS)
    assert {(row.format, row.device, row.failed) for row in found} == {(protocol, "server", 0)}
    assert all(row.images_per_s > 0 for row in found)
    single, multi, held, offline = found
    asked = single.queries + 8 * multi.queries + held.queries
    assert counted(server) - before >= asked + 15  # Offline asks once, about 300 images a second
    assert offline.queries == 1
    assert held.rate == 300


@pytest.mark.parametrize("by", ["own", "mlperf_loadgen"])
def test_queries_that_find_the_queue_full_make_a_result_invalid(
    by: str, narrow_model: Callable[..., ServedModel]
) -> None:
    model = narrow_model("http")

    for row in rows(model, by, "server", "offline", rate=200.0):
        assert row.failed > 0
        assert not row.valid
        assert row.latency_ms is None
        assert " queries failed: " in row.why
        assert "1 items" in row.why


def test_a_query_is_over_once_whatever_becomes_of_it(server: Server) -> None:
    (model,) = Servers([server.url]).open()
    told: list[BaseException | None] = []
    both = threading.Barrier(2, timeout=10)

    def done(error: BaseException | None) -> None:
        told.append(error)
        both.wait()

    with model.target() as target:
        target.submit(0, done)
        both.wait()
        assert target.images_per_s(0.01, one_by_one=True) > 0
    assert told == [None]
