"""One server as a discrete-event simulation: requests, the queue of its batcher, its workers.

As `batching.batcher` does it: a free worker takes up to `max_batch` of what waits, at once or when the oldest has
waited `max_delay`; who finds the queue full is refused. A worker is a core that prepares and runs its batch alone.
"""

import heapq
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lit_infer.batching.batcher import BatchPolicy
from lit_infer.bench.plan.service import ServiceTimes


@dataclass(frozen=True)
class Simulated:
    """What happened to the requests."""

    latencies: NDArray[np.float64]
    """Seconds from arrival to answer of those that were answered, in their order."""
    refused: int
    batches: int
    busy: float
    """The share of the workers' time in which they worked."""

    def percentile(self, percent: float) -> float:
        """Seconds within which so many percent of the answers came; infinite if there is none."""
        return float(np.percentile(self.latencies, percent)) if len(self.latencies) else float("inf")

    @property
    def batch(self) -> float:
        """Requests per batch, on average."""
        return len(self.latencies) / self.batches if self.batches else 0.0


def simulate(
    arrivals: NDArray[np.float64],
    service: ServiceTimes,
    policy: BatchPolicy,
    *,
    workers: int,
    generator: np.random.Generator,
) -> Simulated:
    """Let the requests arrive at these seconds, ascending, and answer all."""
    most = policy.max_batch
    times = _Drawn(service, generator)
    free, running = workers, list[float]()  # the ends of the batches that run
    waiting: deque[float] = deque()
    latencies: list[float] = []
    refused = batches = 0
    worked = now = 0.0
    upcoming = iter(arrivals.tolist())
    following = next(upcoming, None)
    while following is not None or waiting or running:
        runs_by = waiting[0] + policy.max_delay if waiting and free else np.inf
        ends = running[0] if running else np.inf
        arrives = np.inf if following is None else following
        now = max(now, min(arrives, ends, runs_by))
        if ends <= now:
            heapq.heappop(running)
            free += 1
        elif arrives <= now:
            if len(waiting) >= policy.max_items:
                refused += 1
            else:
                waiting.append(arrives)
            following = next(upcoming, None)
        while free and waiting and (len(waiting) >= most or waiting[0] + policy.max_delay <= now):
            size = min(most, len(waiting))
            taken = times.next(size)
            heapq.heappush(running, now + taken)
            latencies += [now + taken - waiting.popleft() for _ in range(size)]
            free, batches, worked = free - 1, batches + 1, worked + taken
    return Simulated(np.array(latencies), refused, batches, worked / (workers * now) if now else 0.0)


class _Drawn:
    """Service times, drawn many at once: one by one would be most of the work."""

    def __init__(self, service: ServiceTimes, generator: np.random.Generator) -> None:
        self._service = service
        self._generator = generator
        self._left: dict[int, list[float]] = {}

    def next(self, size: int) -> float:
        """Seconds for the next batch of this size."""
        if not (left := self._left.get(size)):
            left = self._left[size] = self._service.sample(size, self._generator.random(1000)).tolist()
        return left.pop()
