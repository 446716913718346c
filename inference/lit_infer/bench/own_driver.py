"""The load generator's rules in plain Python, for where `mlperf_loadgen` is not installed."""

import math
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

import numpy as np

from lit_infer.bench.latencies import PERCENTILES
from lit_infer.bench.scenarios import Driven, Load
from lit_infer.bench.target import Target, check
from lit_infer.predictions import Prediction

_CONFIDENCE = 0.99


class OwnDriver:
    """Follows the rules: queries one after the other, at Poisson times, or all at once; the seed is fixed."""

    name = "lit-bench"

    def __call__(self, target: Target, load: Load) -> Driven:
        """Drive one scenario."""
        match load.scenario.name:
            case "server":
                return _arriving(target, load)
            case "offline":
                return _at_once(target, load)
        return _one_by_one(target, load)


def is_proven(late: int, queries: int, *, percentile: float) -> bool:
    """Whether, with 99 % confidence, more than the percentile's share of queries are in time.

    That is MLPerf's early stopping: were the true share of late queries as large as is allowed, so few late ones
    among so many would be seen in less than 1 % of runs.
    """
    share = 1 - percentile / 100
    logs = [
        math.lgamma(queries + 1) - math.lgamma(count + 1) - math.lgamma(queries - count + 1)
        + count * math.log(share) + (queries - count) * math.log1p(-share)
        for count in range(min(late, queries) + 1)
    ]  # fmt: skip
    return sum(math.exp(value) for value in logs) <= 1 - _CONFIDENCE


def _one_by_one(target: Target, load: Load) -> Driven:
    choose, count = random.Random(0), load.scenario.images_per_query  # noqa: S311 - a load, not a secret
    target.answer([0] * count)
    times: list[float] = []
    started = before = time.perf_counter()
    while before < started + load.seconds:
        target.answer([choose.randrange(len(target.images)) for _ in range(count)])
        after = time.perf_counter()
        times.append(after - before)
        before = after
    return _driven(times, images=len(times) * count, seconds=before - started)


def _arriving(target: Target, load: Load) -> Driven:
    """Latency counts from when a query was due: a late start is the queue's fault, not the query's luck."""
    choose = random.Random(0)  # noqa: S311
    times: list[float] = []
    futures: list[Future[Prediction]] = []
    changed = threading.Condition()

    def done(due: float, _: Future[Prediction]) -> None:
        with changed:
            times.append(time.perf_counter() - due)
            changed.notify()

    started = time.perf_counter()
    due = started + choose.expovariate(load.rate)
    while due < started + load.seconds or not futures:
        if (left := due - time.perf_counter()) > 0:
            time.sleep(left)
        future = target.submit(choose.randrange(len(target.images)))
        futures.append(future)
        future.add_done_callback(partial(done, due))
        due += choose.expovariate(load.rate)
    for future in futures:
        check(future.result())
    with changed:  # a result is there before its callback was called
        changed.wait_for(lambda: len(times) == len(futures))
    late = sum(taken > load.bound for taken in times)
    driven = _driven(times, images=len(times), seconds=time.perf_counter() - started, late=late)
    if is_proven(late, len(times), percentile=99):
        return driven
    why = f"{late} of {len(times)} queries were late: not proven with 99 % confidence"
    return replace(driven, valid=False, why=why)


def _at_once(target: Target, load: Load) -> Driven:
    indices = [index % len(target.images) for index in range(max(1, round(load.rate * load.seconds)))]
    started = time.perf_counter()
    times = [time.perf_counter() - started for _ in target.stream(indices)]
    return _driven(times, images=len(times), seconds=times[-1], queries=1)


def _driven(
    times: Sequence[float], *, images: int, seconds: float, late: int = 0, queries: int | None = None
) -> Driven:
    values = np.percentile(np.array(times) * 1e3, PERCENTILES)
    latencies = dict(zip(PERCENTILES, values.tolist(), strict=True))
    return Driven(queries or len(times), images, seconds, latencies, late, valid=True, why="")
