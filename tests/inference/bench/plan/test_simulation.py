"""The simulation against queueing theory, and against what can be worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.batching.batcher import BatchPolicy
from lit_infer.bench.plan.arrivals import poisson
from lit_infer.bench.plan.service import ServiceTimes
from lit_infer.bench.plan.simulation import Simulated, simulate

FIXED = ServiceTimes({1: ((0.5, 1.0),), 8: ((0.5, 1.0),)})
"""A second for every batch."""
_SHARES = np.linspace(0, 0.99999, 4000)
EXPONENTIAL = ServiceTimes({1: tuple(zip(_SHARES, -np.log1p(-_SHARES), strict=True))})
"""A second on average."""


def run(
    arrivals: list[float], service: ServiceTimes = FIXED, *, workers: int = 1, max_delay: float = 0, **policy: int
) -> Simulated:
    chosen = BatchPolicy(max_delay=max_delay, **policy)
    return simulate(np.array(arrivals), service, chosen, workers=workers, generator=np.random.default_rng(1))


def long(rate: float, service: ServiceTimes, *, workers: int = 1) -> Simulated:
    generator = np.random.default_rng(5)
    policy = BatchPolicy(max_batch=1, max_items=10**6)
    return simulate(poisson(rate, 100_000, generator), service, policy, workers=workers, generator=generator)


def test_one_exponential_worker_is_the_queue_m_m_1() -> None:
    found = long(0.7, EXPONENTIAL)

    assert found.latencies.mean() == pytest.approx(1 / 0.3, rel=0.05)
    assert found.percentile(99) == pytest.approx(-math.log(0.01) / 0.3, rel=0.08)
    assert found.busy == pytest.approx(0.7, rel=0.02)


def test_a_fixed_time_is_the_queue_m_d_1() -> None:
    assert long(0.8, FIXED).latencies.mean() == pytest.approx(1 + 0.8 / (2 * 0.2), rel=0.05)


def test_three_workers_are_erlang_s_queue() -> None:
    rate, workers = 2.4, 3
    last = rate**workers / math.factorial(workers) * workers / (workers - rate)
    waits = last / (sum(rate**n / math.factorial(n) for n in range(workers)) + last)

    found = long(rate, EXPONENTIAL, workers=workers)

    assert found.latencies.mean() == pytest.approx(1 + waits / (workers - rate), rel=0.05)


def test_a_batch_is_what_waits_when_the_worker_is_free() -> None:
    found = run([0, 0.1, 0.2, 0.3, 0.4, 0.5], max_batch=4)

    assert found.latencies == pytest.approx([1, 1.9, 1.8, 1.7, 1.6, 2.5])
    assert (found.batches, found.batch, found.busy) == (3, 2, 1)


def test_a_batch_waits_for_its_delay_or_until_it_is_full() -> None:
    assert run([0, 0.1], max_batch=4, max_delay=0.5).latencies == pytest.approx([1.5, 1.4])
    assert run([0, 0.1], max_batch=2, max_delay=0.5).latencies == pytest.approx([1.1, 1.0])
    assert run([0, 0.6], max_batch=2, max_delay=0.5, workers=2).latencies == pytest.approx([1.5, 1.5])


def test_who_finds_the_queue_full_is_refused() -> None:
    found = run([0, 0.1, 0.2, 0.3, 0.4], max_batch=1, max_items=2)

    assert (found.refused, len(found.latencies)) == (2, 3)
    assert run([]).percentile(99) == math.inf


@given(
    gaps=st.lists(st.floats(0, 3), max_size=40),
    workers=st.integers(1, 4),
    most=st.integers(1, 8),
    delay=st.sampled_from([0.0, 0.4, 2.0]),
    queue=st.integers(1, 10),
)
def test_every_request_is_answered_or_refused_and_no_work_is_lost(
    gaps: list[float], workers: int, most: int, delay: float, queue: int
) -> None:
    arrivals = np.cumsum(gaps).tolist()

    found = run(arrivals, workers=workers, max_batch=most, max_delay=delay, max_items=queue)

    assert len(found.latencies) + found.refused == len(arrivals)
    assert (found.latencies >= 1 - 1e-9).all()
    assert found.batches * most >= len(found.latencies)
    assert 0 <= found.busy <= 1 + 1e-9
