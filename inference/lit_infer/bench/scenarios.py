"""The scenarios of MLPerf Inference, with their names and rules, on a graph in this process or a served model.

    single-stream  one query of one image at a time        p90 latency
    multi-stream   one query of eight images at a time     p99 latency of the query
    server         queries of one image, Poisson arrivals  the rate at which p99 stays within a bound
    offline        all images at once                      images per second

`mlperf_loadgen` drives them if it is installed, otherwise `own_driver`. Official runs take 600 s and more; these take
for the given time, and report if there were too few queries for a result.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from lit_infer.bench.rows import Described, Unit
from lit_infer.bench.target import LoadTarget
from lit_infer.errors import OverloadedError

_PROBES = 6
_STEP_DOWN = 0.95
_STEPS_DOWN = 6


@dataclass(frozen=True)
class Scenario:
    """A scenario and its rules."""

    name: str
    title: str
    """As MLPerf and its load generator spell it."""
    percentile: float | None = None
    """Of the latency that is the result; the server's must be within the bound."""
    images_per_query: int = 1
    least_queries: int = 1
    """Early stopping: fewer queries cannot show the percentile with 99 % confidence, however fast they were."""


SCENARIOS = {
    "single-stream": Scenario("single-stream", "SingleStream", percentile=90, least_queries=64),
    "multi-stream": Scenario("multi-stream", "MultiStream", percentile=99, images_per_query=8, least_queries=662),
    "server": Scenario("server", "Server", percentile=99, least_queries=459),
    "offline": Scenario("offline", "Offline"),
}


@dataclass(frozen=True)
class Load:
    """What a driver has to do."""

    scenario: Scenario
    seconds: float
    rate: float
    """Server: queries per second. Offline: the expected images per second, which decides how many to send."""
    bound: float
    """Server: the seconds that the percentile must not exceed."""


@dataclass(frozen=True)
class Driven:
    """What a driver found."""

    queries: int
    images: int
    """How many were answered."""
    seconds: float
    latencies_ms: dict[float, float]
    """By percentile, of queries."""
    late: int
    """Server: queries that took longer than the bound."""
    valid: bool
    why: str
    """Why it is not valid."""
    failed: int = 0
    """Queries that the server refused because its queue was full; with any of these, the run is not valid."""


class Driveable(Described, Protocol):
    """What scenarios are run on."""

    def target(self) -> AbstractContextManager[LoadTarget]:
        """The target to drive."""


class Driver(Protocol):
    """Puts a load on a target."""

    name: str

    def __call__(self, target: LoadTarget, load: Load) -> Driven:
        """Drive it, and wait until everything is answered."""


@dataclass(frozen=True)
class ScenarioRow:
    """The result of one scenario on one graph."""

    scenario: str
    format: str
    engine: str
    device: str
    threads: int
    driver: str
    decoded: bool
    images_per_query: int
    queries: int
    seconds: float
    percentile: float | None
    latency_ms: float | None
    """At that percentile; None: the scenario has none, or there were too few queries."""
    bound_ms: float | None
    rate: float | None
    """Server: queries per second that were held."""
    images_per_s: float
    valid: bool
    why: str
    failed: int = 0
    """Queries that the server refused because its queue was full; there is no latency then."""
    unit: Unit = "images"
    """What a query is about."""


def run(
    subjects: Sequence[Driveable],
    scenarios: Sequence[Scenario],
    *,
    driver: Driver,
    seconds: float,
    bound: float,
    rate: float | None = None,
) -> Iterator[ScenarioRow]:
    """Each scenario on each subject, as they finish. `rate`: for server, the one to check; None: find the highest."""
    for scenario in scenarios:
        for subject in subjects:
            is_server = scenario.name == "server"
            with subject.target() as target:
                best = rate or target.images_per_s(min(1.0, seconds / 4), one_by_one=is_server)
                load = Load(scenario, seconds, best, bound)
                if is_server and rate is None:
                    load, driven = highest_rate(partial(driver, target), load)
                else:
                    driven = driver(target, load)
                yield _row(subject, load, driven, driver.name)


def highest_rate(drive: Callable[[Load], Driven], load: Load) -> tuple[Load, Driven]:
    """The highest rate whose percentile is within the bound: searched in short runs, then held for a whole one.

    `load.rate` is the target's best rate. A long run that fails is repeated a little slower. If not even the slowest of
    the short runs was within the bound, the result has that rate and is not valid.
    """
    lowest, highest = 0.0, 1.1 * load.rate
    short = max(min(load.seconds, 1.0), load.seconds / 5)
    for _ in range(_PROBES):
        rate = (lowest + highest) / 2
        # One that fails is repeated: a moment of other work on the machine does not limit the model.
        if any(_holds(drive(replace(load, rate=rate, seconds=short))) for _ in range(2)):
            lowest = rate
        else:
            highest = rate
    load = replace(load, rate=lowest or highest)
    driven = drive(load)
    for _ in range(_STEPS_DOWN):
        if not lowest or _holds(driven):
            break
        load = replace(load, rate=load.rate * _STEP_DOWN)
        driven = drive(load)
    return load, driven


def refusals(refused: Sequence[OverloadedError], queries: int) -> str:
    """How many queries the server refused, and what it said; empty if it answered all."""
    return f"{len(refused)} of {queries} queries failed: {refused[0]}" if refused else ""


def _holds(driven: Driven) -> bool:
    return not driven.failed and driven.late <= 0.01 * driven.queries


def _row(subject: Driveable, load: Load, driven: Driven, driver: str) -> ScenarioRow:
    scenario = load.scenario
    is_server = scenario.name == "server"
    enough = driven.queries >= scenario.least_queries
    is_known = scenario.percentile is not None and enough and not driven.failed
    why = driven.why
    if not enough and not driven.failed:
        needed = scenario.least_queries * driven.seconds / max(1, driven.queries)
        why = f"{driven.queries} queries, p{scenario.percentile:g} needs {scenario.least_queries}: "
        why += f"--seconds {needed * 1.2:.0f}"
    return ScenarioRow(
        scenario=scenario.name,
        format=subject.name,
        engine=subject.engine,
        device=subject.device,
        threads=subject.threads,
        driver=driver,
        decoded=subject.decoded,
        images_per_query=scenario.images_per_query,
        queries=driven.queries,
        seconds=driven.seconds,
        percentile=scenario.percentile,
        latency_ms=driven.latencies_ms.get(scenario.percentile or 0) if is_known else None,
        bound_ms=load.bound * 1e3 if is_server else None,
        rate=load.rate if is_server else None,
        images_per_s=driven.images / driven.seconds,
        valid=driven.valid and enough and not driven.failed,
        why=why,
        failed=driven.failed,
        unit=subject.unit,
    )
