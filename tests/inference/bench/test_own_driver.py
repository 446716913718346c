"""The load generator's rules in plain Python, on targets that answer as they are told."""

import math
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.bench.own_driver import OwnDriver, is_proven
from lit_infer.bench.scenarios import SCENARIOS, Driven, Load
from lit_infer.bench.target import Done
from lit_infer.errors import EngineError, OverloadedError

ALL = list(SCENARIOS)


class Answering:
    """A target that answers at once; `error` says what becomes of each query, by its number."""

    count = 5

    def __init__(self, error: Callable[[int], BaseException | None] = lambda _: None) -> None:
        self.error = error
        self.asked: list[list[int]] = []

    def answer(self, indices: Sequence[int]) -> None:
        self.asked.append(list(indices))
        if (error := self.error(len(self.asked))) is not None:
            raise error

    def submit(self, index: int, done: Done) -> None:
        self.asked.append([index])
        threading.Thread(target=done, args=(self.error(len(self.asked)),)).start()

    def stream(self, indices: Sequence[int]) -> Iterator[OverloadedError | None]:
        for index in indices:
            self.asked.append([index])
            error = self.error(len(self.asked))
            if error is not None and not isinstance(error, OverloadedError):
                raise error
            yield error

    def images_per_s(self, seconds: float, *, one_by_one: bool) -> float:
        raise NotImplementedError


def drive(target: Answering, name: str, *, bound: float = 60.0) -> Driven:
    return OwnDriver()(target, Load(SCENARIOS[name], seconds=0.05, rate=400, bound=bound))


@pytest.mark.parametrize("name", ALL)
def test_each_scenario_asks_as_many_images_at_once_as_its_rules_say(name: str) -> None:
    target = Answering()

    found = drive(target, name)

    assert {len(indices) for indices in target.asked} == {SCENARIOS[name].images_per_query}
    assert {index for indices in target.asked for index in indices} <= set(range(target.count))
    assert (found.failed, found.late) == (0, 0)
    assert found.images == found.queries * SCENARIOS[name].images_per_query or name == "offline"


def test_offline_hands_over_all_images_as_one_query() -> None:
    found = drive(Answering(), "offline")

    assert (found.queries, found.images, found.valid) == (1, 20, True)


@pytest.mark.parametrize("name", ALL)
def test_refusals_are_counted_and_make_the_run_invalid(name: str) -> None:
    full = OverloadedError("8 items wait already")

    found = drive(Answering(lambda number: full if number % 3 == 2 else None), name)

    assert found.failed > 0
    assert not found.valid
    assert "8 items wait already" in found.why


@pytest.mark.parametrize("name", ALL)
def test_where_every_query_is_refused_there_is_nothing_to_report(name: str) -> None:
    def error(number: int) -> BaseException | None:
        return None if number == 1 and name.endswith("stream") else OverloadedError("full")  # after the warm-up

    with pytest.raises(EngineError, match=r"none of \d+ queries was answered: full"):
        drive(Answering(error), name)


@pytest.mark.parametrize("name", ALL)
def test_any_other_error_ends_the_run(name: str) -> None:
    with pytest.raises(ZeroDivisionError):
        drive(Answering(lambda number: ZeroDivisionError() if number == 3 else None), name)


def test_queries_over_the_bound_are_late_and_prove_nothing() -> None:
    found = drive(Answering(), "server", bound=0.0)

    assert found.late == found.queries
    assert not found.valid
    assert found.why == f"{found.late} of {found.queries} queries were late: not proven with 99 % confidence"


@given(queries=st.integers(1, 3000), late=st.integers(0, 50), percentile=st.sampled_from([90.0, 99.0]))
def test_more_late_queries_never_prove_more(queries: int, late: int, percentile: float) -> None:
    if is_proven(late + 1, queries, percentile=percentile):
        assert is_proven(late, queries, percentile=percentile)
    assert not is_proven(queries, queries, percentile=percentile)


@pytest.mark.parametrize(("late", "least"), [(0, 459), (1, 662)])
def test_as_many_queries_prove_a_percentile_as_early_stopping_asks_for(late: int, least: int) -> None:
    assert not is_proven(late, least - 1, percentile=99)
    assert is_proven(late, least, percentile=99)


def test_the_proof_is_the_binomial_s() -> None:
    exact = sum(math.comb(600, count) * 0.01**count * 0.99 ** (600 - count) for count in range(2))

    assert is_proven(1, 600, percentile=99) == (exact <= 0.01)
