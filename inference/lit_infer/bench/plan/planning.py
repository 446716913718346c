"""The servers that a load needs: the least number, and the batching, whose p99 is within a bound."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lit_infer.batching.batcher import BatchPolicy
from lit_infer.bench.plan.arrivals import ARRIVALS, SUSTAINED
from lit_infer.bench.plan.service import ServiceTimes
from lit_infer.bench.plan.simulation import Simulated, simulate
from lit_infer.errors import GateError, UsageError

DELAYS = (0.0, 0.002, 0.005)
"""Seconds that a batch may wait to fill up, to choose from."""
_REQUESTS = 20_000  # of a simulation: 200 of them are beyond p99
_MORE = 4  # counts of servers beyond the least, to be shown
_MOST = 100_000


@dataclass(frozen=True)
class Demand:
    """What is asked of the servers together."""

    rate: float
    """Requests of one image per second, on average."""
    p99: float
    """Seconds."""
    arrivals: str = "poisson"
    workers: int = 1
    """Cores of a server."""
    queue: int = 1024
    seed: int = 0


@dataclass(frozen=True)
class PlanLine:
    """A number of servers, and what it would be like."""

    servers: int
    policy: BatchPolicy
    simulated: Simulated
    load: float
    """The highest rate that lasts, as a share of the most that the servers can answer with this policy."""

    def keeps(self, demand: Demand) -> bool:
        """Whether p99 is within the bound, none was refused, and the queue does not grow for ever.

        At a load of 1 or more a simulation, which ends, would only show how long it was.
        """
        return self.load < 1 and self.simulated.refused == 0 and self.simulated.percentile(99) <= demand.p99


def plan(service: ServiceTimes, demand: Demand, *, delays: Sequence[float] = DELAYS) -> list[PlanLine]:
    """From one server fewer than are needed to some more, each with the batching of the least p99.

    The least number is the first that keeps the bound. Requests are spread over the servers at random. Raises
    UsageError for a load that makes no sense, GateError for a bound that no number of servers keeps.
    """
    if demand.arrivals not in ARRIVALS or demand.rate <= 0 or demand.p99 <= 0 or demand.workers < 1:
        raise UsageError("expected a rate, a p99 and cores above zero")
    if not (math.isfinite(demand.rate) and math.isfinite(demand.p99)):
        raise UsageError("expected a rate and a p99 that are finite")
    policies = [
        BatchPolicy(max_batch=size, max_delay=delay, max_items=demand.queue)
        for size in sorted(service.quantiles)
        for delay in delays
        if size > 1 or not delay
    ]
    if (alone := _line(service, demand, policies, _MOST)).simulated.percentile(99) > demand.p99:
        raise GateError(
            f"no number of servers keeps p99 within {demand.p99 * 1e3:g} ms: a request that waits for nobody takes "
            f"{alone.simulated.percentile(99) * 1e3:.3g} ms"
        )
    if demand.rate / _capacity(service, service.largest, demand) > _MOST:
        raise GateError(f"{demand.rate:g} requests/s need more than {_MOST:,} servers: plan for a part of them")
    least = _least(service, demand, policies)
    if least >= _MOST:
        raise GateError(f"more than {_MOST:,} servers would be needed for {demand.rate:g} requests/s")
    return [_line(service, demand, policies, count) for count in range(max(1, least - 1), least + _MORE)]


def _least(service: ServiceTimes, demand: Demand, policies: Sequence[BatchPolicy]) -> int:
    """By doubling from the number that would be busy all the time, then by halving the steps."""
    low = max(0, int(demand.rate / _capacity(service, service.largest, demand)) - 1)
    step = 1
    while low + step < _MOST and not _line(service, demand, policies, low + step).keeps(demand):
        low, step = low + step, 2 * step
    high = min(low + step, _MOST)
    while high - low > 1:
        middle = (low + high) // 2
        if _line(service, demand, policies, middle).keeps(demand):
            high = middle
        else:
            low = middle
    return high


def _line(service: ServiceTimes, demand: Demand, policies: Sequence[BatchPolicy], servers: int) -> PlanLine:
    """So many servers, with the policy that refuses least and has the least p99."""
    lines = [
        PlanLine(
            servers,
            policy,
            _simulated(service, demand, policy, servers),
            SUSTAINED[demand.arrivals] * demand.rate / servers / _capacity(service, policy.max_batch, demand),
        )
        for policy in policies
    ]
    return min(lines, key=lambda line: (line.load >= 1, line.simulated.refused, line.simulated.percentile(99)))


def _capacity(service: ServiceTimes, most: int, demand: Demand) -> float:
    """Requests per second of a server that is busy all the time, with batches of up to so many."""
    return max(size / service.mean(size) for size in service.quantiles if size <= most) * demand.workers


def _simulated(service: ServiceTimes, demand: Demand, policy: BatchPolicy, servers: int) -> Simulated:
    """One of the servers, for all. The same requests for every policy and number, so that they compare."""
    generator = np.random.default_rng(demand.seed)
    arrivals = ARRIVALS[demand.arrivals](demand.rate / servers, _REQUESTS, generator)
    return simulate(arrivals, service, policy, workers=demand.workers, generator=generator)
