"""The load generator's rules in plain Python, used when `mlperf_loadgen` is not installed."""

import math
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from lit_infer.bench.latencies import PERCENTILES
from lit_infer.bench.scenarios import Driven, Load, refusals
from lit_infer.bench.target import LoadTarget
from lit_infer.errors import EngineError, OverloadedError

_CONFIDENCE = 0.99


class OwnDriver:
    """Follows the rules: queries one after the other, at Poisson times, or all at once; the seed is fixed."""

    name = "lit-bench"

    def __call__(self, target: LoadTarget, load: Load) -> Driven:
        """Drive one scenario."""
        match load.scenario.name:
            case "server":
                return _arriving(target, load)
            case "offline":
                return _at_once(target, load)
        return _one_by_one(target, load)


def is_proven(late: int, queries: int, *, percentile: float) -> bool:
    """Whether, with 99 % confidence, more than the percentile's share of queries are in time.

    This is MLPerf's early stopping: if as many queries were truly late as is allowed, so few late ones among so many
    would be seen in less than 1 % of runs.
    """
    share = 1 - percentile / 100
    logs = [
        math.lgamma(queries + 1) - math.lgamma(count + 1) - math.lgamma(queries - count + 1)
        + count * math.log(share) + (queries - count) * math.log1p(-share)
        for count in range(min(late, queries) + 1)
    ]  # fmt: skip
    return sum(math.exp(value) for value in logs) <= 1 - _CONFIDENCE


def _one_by_one(target: LoadTarget, load: Load) -> Driven:
    choose, count = random.Random(0), load.scenario.images_per_query  # noqa: S311 - a load, not a secret
    target.answer([0] * count)
    times: list[float] = []
    refused: list[OverloadedError] = []
    started = before = time.perf_counter()
    while before < started + load.seconds:
        try:
            target.answer([choose.randrange(target.count) for _ in range(count)])
        except OverloadedError as error:
            refused.append(error)
        else:
            times.append(time.perf_counter() - before)
        before = time.perf_counter()
    return _driven(times, refused, images=len(times) * count, seconds=before - started)


def _arriving(target: LoadTarget, load: Load) -> Driven:
    """Latency counts from the time when a query was due, so that a late start is part of it."""
    choose = random.Random(0)  # noqa: S311
    arrivals = _Arrivals()
    started = time.perf_counter()
    due = started + choose.expovariate(load.rate)
    while (due < started + load.seconds or not arrivals.sent) and not arrivals.failed:
        if (left := due - time.perf_counter()) > 0:
            time.sleep(left)
        arrivals.sent += 1
        target.submit(choose.randrange(target.count), partial(arrivals.done, due))
        due += choose.expovariate(load.rate)
    arrivals.wait()
    times, refused = arrivals.times, arrivals.refused
    late = sum(taken > load.bound for taken in times) + len(refused)
    driven = _driven(times, refused, images=len(times), seconds=time.perf_counter() - started, late=late)
    if refused or is_proven(late, arrivals.sent, percentile=99):
        return driven
    why = f"{late} of {arrivals.sent} queries were late: not proven with 99 % confidence"
    return replace(driven, valid=False, why=why)


class _Arrivals:
    """The outcomes of the queries that were sent; `done` is called from other threads."""

    def __init__(self) -> None:
        self.sent = 0
        self.times: list[float] = []
        self.refused: list[OverloadedError] = []
        self.failed: list[BaseException] = []
        self._changed = threading.Condition()

    def done(self, due: float, error: BaseException | None) -> None:
        """Count a query."""
        taken = time.perf_counter() - due
        with self._changed:
            if error is None:
                self.times.append(taken)
            elif isinstance(error, OverloadedError):
                self.refused.append(error)
            else:
                self.failed.append(error)
            self._changed.notify()

    def wait(self) -> None:
        """Return when all have ended. Raises any error other than a refusal."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.times) + len(self.refused) + len(self.failed) == self.sent)
        if self.failed:
            raise self.failed[0]


def _at_once(target: LoadTarget, load: Load) -> Driven:
    indices = [index % target.count for index in range(max(1, round(load.rate * load.seconds)))]
    times: list[float] = []
    refused: list[OverloadedError] = []
    started = time.perf_counter()
    for refusal in target.stream(indices):
        if refusal is None:
            times.append(time.perf_counter() - started)
        else:
            refused.append(refusal)
    return _driven(times, refused, images=len(times), seconds=time.perf_counter() - started, queries=1)


def _driven(
    times: Sequence[float],
    refused: Sequence[OverloadedError],
    *,
    images: int,
    seconds: float,
    late: int = 0,
    queries: int | None = None,
) -> Driven:
    sent = len(times) + len(refused)
    if not times:
        raise EngineError(f"none of {sent} queries was answered: {refused[0]}")
    values = np.percentile(np.array(times) * 1e3, PERCENTILES)
    return Driven(
        queries=queries or sent,
        images=images,
        seconds=seconds,
        latencies_ms=dict(zip(PERCENTILES, values.tolist(), strict=True)),
        late=late,
        valid=not refused,
        why=refusals(refused, sent),
        failed=len(refused),
    )
