"""The scenarios, under both drivers, on the tiny model."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lit_infer.bench import loadgen
from lit_infer.bench.own_driver import OwnDriver
from lit_infer.bench.scenarios import SCENARIOS, Driven, Driver, Load, ScenarioRow, highest_rate, run
from lit_infer.bench.subjects import Subject
from lit_infer.errors import UsageError
from lit_infer.predictor import Predictor

LOAD = Load(SCENARIOS["server"], seconds=1, rate=1000, bound=0.02)


@pytest.fixture(params=["own", "mlperf_loadgen"])
def driver(request: pytest.FixtureRequest) -> Driver:
    if request.param == "own":
        return OwnDriver()
    return loadgen.LoadgenDriver(pytest.importorskip("mlperf_loadgen"))


def rows(predictor: Predictor, driver: Driver, *names: str, **options: Any) -> Iterator[ScenarioRow]:
    subject = Subject("onnx", predictor, images=options.pop("images", ()))
    chosen = [SCENARIOS[name] for name in names]
    return run([subject], chosen, driver=driver, **{"seconds": 0.3, "bound": 5.0, **options})


def test_each_scenario_has_its_own_figure(predictor: Predictor, driver: Driver) -> None:
    single, multi, offline = rows(predictor, driver, "single-stream", "multi-stream", "offline")

    assert (single.percentile, multi.percentile, offline.percentile) == (90, 99, None)
    assert (single.images_per_query, multi.images_per_query) == (1, 8)
    assert single.valid
    assert single.latency_ms is not None
    assert 0 < single.latency_ms <= single.seconds * 1e3
    assert offline.queries == 1
    assert offline.latency_ms is None
    for row in (single, multi, offline):
        assert row.driver == driver.name
        assert row.images_per_s > 0
        assert row.bound_ms is row.rate is None


def test_a_rate_that_is_given_is_checked(predictor: Predictor, driver: Driver) -> None:
    (held,) = rows(predictor, driver, "server", rate=1000.0, seconds=0.8)
    (missed,) = rows(predictor, driver, "server", rate=1000.0, seconds=0.8, bound=1e-6)

    assert (held.rate, held.bound_ms) == (1000, 5000)
    assert held.valid
    assert held.latency_ms is not None
    assert 0 < held.latency_ms <= held.seconds * 1e3
    assert not missed.valid
    assert "were late" in missed.why


def test_too_few_queries_give_no_figure(predictor: Predictor, driver: Driver) -> None:
    (row,) = rows(predictor, driver, "server", rate=100.0, seconds=0.2)

    assert not row.valid
    assert row.latency_ms is None
    assert row.why.startswith(f"{row.queries} queries, p99 needs 459: --seconds ")


def test_an_image_that_cannot_be_read_ends_the_scenario(predictor: Predictor, driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    subject = Subject("onnx", predictor, images=[tmp_path / "bad.png"])

    for name in SCENARIOS:
        with subject.target() as opened, pytest.raises(UsageError, match=r"cannot measure with .*bad\.png"):
            driver(opened, replace(LOAD, scenario=SCENARIOS[name], rate=50, seconds=0.2))


def test_with_images_decoding_is_part_of_the_query(predictor: Predictor, driver: Driver, colours: Path) -> None:
    (row,) = rows(predictor, driver, "single-stream", images=sorted(colours.rglob("*.png")))

    assert row.decoded


def test_a_tensor_model_has_no_scenarios(predictor: Predictor) -> None:
    import msgspec

    (graph,) = predictor.sessions.opened()[:1]
    described = msgspec.structs.replace(predictor.manifest, task="tensor")
    tensors = Predictor(described, graph, threads=1)

    with pytest.raises(UsageError, match="whole rows, which colours needs: --data FILE"):
        next(rows(tensors, OwnDriver(), "offline"))


def capacity(limit: float, driven: list[float]) -> Any:
    """A target that holds rates up to a limit."""

    def drive(load: Load) -> Driven:
        driven.append(load.rate)
        late = 0 if load.rate <= limit else 100
        return Driven(1000, 1000, load.seconds, {99: 10.0}, late, valid=not late, why="")

    return drive


@pytest.mark.parametrize("limit", [30, 333, 700, 990])
def test_the_highest_rate_that_is_held_is_found(limit: float) -> None:
    load, driven = highest_rate(capacity(limit, []), LOAD)

    assert limit - 1.1 * LOAD.rate / 2**6 <= load.rate <= limit
    assert driven.valid


def test_the_whole_run_at_the_end_is_as_long_as_was_asked_for() -> None:
    seconds: list[float] = []

    def drive(load: Load) -> Driven:
        seconds.append(load.seconds)
        return capacity(500, [])(load)

    highest_rate(drive, replace(LOAD, seconds=20))

    assert seconds[-1] == 20
    assert set(seconds[:-1]) == {4}


def test_a_whole_run_that_fails_is_repeated_slower() -> None:
    rates: list[float] = []

    def drive(load: Load) -> Driven:
        rates.append(load.rate)
        limit = 400 if load.seconds == 10 else 500  # it does less over a longer time
        return capacity(limit, [])(load)

    load, driven = highest_rate(drive, replace(LOAD, seconds=10))

    assert driven.valid
    assert 380 <= load.rate <= 400


def test_where_no_rate_is_held_the_slowest_is_shown_as_not_valid() -> None:
    load, driven = highest_rate(capacity(0, []), LOAD)

    assert not driven.valid
    assert load.rate == pytest.approx(1.1 * LOAD.rate / 2**6)
