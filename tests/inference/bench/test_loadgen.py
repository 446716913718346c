"""MLPerf's load generator, the real one, on targets that answer as they are told. The rest: test_scenarios."""

import sys
from collections.abc import Callable, Iterator, Sequence

import pytest

from lit_infer.bench import loadgen
from lit_infer.bench.own_driver import OwnDriver
from lit_infer.bench.scenarios import SCENARIOS, Driven, Load
from lit_infer.bench.target import Done
from lit_infer.errors import EngineError, OverloadedError

pytest.importorskip("mlperf_loadgen")


class Refusing:
    """A target that answers at once; `refuse` says which queries after the warm-ups it has no room for."""

    count = 4
    warm_ups = 5

    def __init__(self, refuse: Callable[[int], bool]) -> None:
        self.refuse, self.asked = refuse, 0

    def outcome(self, *indices: int) -> OverloadedError | None:
        assert set(indices) <= set(range(self.count))
        self.asked += 1
        number = self.asked - self.warm_ups
        return OverloadedError("8 items wait already") if number > 0 and self.refuse(number) else None

    def answer(self, indices: Sequence[int]) -> None:
        if (error := self.outcome(*indices)) is not None:
            raise error

    def submit(self, index: int, done: Done) -> None:
        done(self.outcome(index))

    def stream(self, indices: Sequence[int]) -> Iterator[OverloadedError | None]:
        return (self.outcome(index) for index in indices)

    def images_per_s(self, seconds: float, *, one_by_one: bool) -> float:
        raise NotImplementedError


def drive(name: str, refuse: Callable[[int], bool]) -> Driven:
    return loadgen.driver()(Refusing(refuse), Load(SCENARIOS[name], seconds=0.05, rate=400, bound=5.0))


def test_the_load_generator_is_taken_where_it_is_installed() -> None:
    pytest.importorskip("mlperf_loadgen")

    assert loadgen.driver().name == "mlperf_loadgen"


def test_where_it_is_not_installed_our_own_rules_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlperf_loadgen", None)

    assert isinstance(loadgen.driver(), OwnDriver)


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_it_measured_is_read_from_its_log(name: str) -> None:
    found = drive(name, lambda _: False)

    assert (found.failed, found.late) == (0, 0)
    assert found.images >= found.queries * SCENARIOS[name].images_per_query
    assert found.seconds > 0
    assert sorted(found.latencies_ms) == [50, 90, 95, 99, 99.9]


@pytest.mark.parametrize("name", SCENARIOS)
def test_refusals_are_in_no_figure_and_make_the_run_invalid(name: str) -> None:
    found = drive(name, lambda number: number % 2 == 0)

    assert found.failed > 0
    assert not found.valid
    assert found.latencies_ms == {}
    assert "8 items wait already" in found.why


@pytest.mark.parametrize("name", SCENARIOS)
def test_where_every_query_is_refused_there_is_nothing_to_report(name: str) -> None:
    with pytest.raises(EngineError, match="queries was answered: 8 items wait already"):
        drive(name, lambda _: True)
