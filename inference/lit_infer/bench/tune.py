"""Find the engine, the threads and the batch size that serve an aim best on this machine.

    latency      the least median time of one call with one image
    throughput   the most images/s through `stream`, which is how `lit-infer` runs a folder
    p99<20ms     the most images/s of calls whose p99 is below 20 ms

What is found must beat the default by more than two measurements of the same thing differ; else the default stays.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from lit_infer import bundle
from lit_infer.bench.cells import Row
from lit_infer.bench.latencies import PERCENTILES, calls_needed
from lit_infer.bench.measure import measure
from lit_infer.bench.subjects import Subject, for_callers
from lit_infer.bench.target import check
from lit_infer.engines import ENGINES, engine_for_file
from lit_infer.errors import EngineError, GateError, LitError, UsageError
from lit_infer.hardware import DEFAULT_BATCH_SIZE, usable_cpus
from lit_infer.images import ImageInput
from lit_infer.predictor import open_predictor
from lit_infer.settings import Settings

BATCH_SIZES = (1, 2, 4, 8, 16, 32)
MARGIN = 1.03
_ROUNDS = 3
_AT_ONCE = 4


@dataclass(frozen=True)
class Aim:
    """What is wanted. With a percentile: throughput under a bound on latency."""

    text: str
    percentile: float | None = None
    bound_ms: float = 0.0

    @property
    def latency_name(self) -> str:
        """Which latency is looked at."""
        return "p50 ms" if self.percentile is None else f"p{self.percentile:g} ms"

    @property
    def is_latency(self) -> bool:
        """Whether the least time of one call is what counts."""
        return self.text == "latency"


@dataclass(frozen=True)
class Tried:
    """One setting, and what it gave: the figure that the aim is about."""

    engine: str
    threads: int
    batch_size: int
    images_per_s: float
    latency_ms: float | None = None
    """The median for the aim latency, the percentile for a bound on one."""

    @property
    def settings(self) -> Settings:
        """What `load` is to use."""
        return Settings(batch_size=self.batch_size, threads=self.threads, engine=self.engine)

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}"
        return f"{self.engine}, {threads}, batch {self.batch_size}"


@dataclass(frozen=True)
class Tuned:
    """What was chosen, what it is compared with, and everything that was tried, best first."""

    aim: Aim
    chosen: Tried
    default: Tried
    tried: tuple[Tried, ...]

    @property
    def gain(self) -> float:
        """How many times better than the default; 1 is no better."""
        if self.aim.is_latency and self.chosen.latency_ms and self.default.latency_ms:
            return self.default.latency_ms / self.chosen.latency_ms
        return self.chosen.images_per_s / self.default.images_per_s

    @property
    def why(self) -> str:
        """The reason, in figures."""
        if self.aim.is_latency:
            return f"{self.chosen.latency_ms:.3g} ms a call, {self.gain:.2f} times as quick"
        if self.aim.percentile is None:
            return f"{self.chosen.images_per_s:,.0f} images/s, {self.gain:.2f} times as many"
        within = f"{self.aim.latency_name.removesuffix(' ms')} {self.chosen.latency_ms:.3g} ms"
        return f"{within} and {self.chosen.images_per_s:,.0f} images/s, {self.gain:.2f} times as many"

    def as_data(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "aim": self.aim.text, "gain": self.gain}


def parse_aim(text: str) -> Aim:
    """`latency`, `throughput`, or a bound such as `p99<20ms`."""
    if text in ("latency", "throughput"):
        return Aim(text)
    match = re.fullmatch(r"p(\d+(?:\.\d+)?)\s*<\s*(\d+(?:\.\d+)?)\s*(ms|s)", text.strip())
    if not match or float(match[1]) not in PERCENTILES or not float(match[2]):
        known = ", ".join(f"p{name:g}" for name in PERCENTILES)
        raise UsageError(f'--aim {text!r}: use latency, throughput, or a bound as in "p99<20ms" (with {known})')
    return Aim(text, float(match[1]), float(match[2]) * (1e3 if match[3] == "s" else 1))


def open_candidates(model: str, *, images: Sequence[ImageInput] = ()) -> tuple[list[Subject], list[str]]:
    """What `load` would open for each engine, with each number of threads; and what cannot be opened here."""
    graphs = bundle.find(model)
    if graphs[0].manifest is None:
        raise UsageError(f"{model} is a lone graph file, and settings are kept for bundles: tune the bundle")
    first = engine_for_file(bundle.choose(graphs).path).format
    offered = dict.fromkeys([first, *(engine_for_file(graph.path).format for graph in graphs)])
    subjects: list[Subject] = []
    left_out: list[str] = []
    for name in offered:
        try:
            graph = bundle.choose(graphs, engine=name)
            for threads in _thread_counts():
                predictor = open_predictor(graph, device="auto", threads=threads)
                subjects.append(Subject(name, predictor, images=images))
        except LitError as error:
            if name == first:  # the default
                raise
            left_out.append(f"{ENGINES[name].format} is left out: {error}")
    return subjects, left_out


def tune(
    subjects: Sequence[Subject],
    aim: Aim,
    *,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    seconds: float,
    advance: Callable[[], None] = lambda: None,
) -> Tuned:
    """Try every setting for about `seconds` and choose. Raises GateError where none is within the aim's bound.

    The first subject's engine, on all cores, with the default batch size is the default.
    """
    sizes = sorted({*batch_sizes, DEFAULT_BATCH_SIZE})
    if aim.is_latency:
        return _by_latency(subjects, aim, sizes, seconds, advance)
    if aim.percentile is not None:
        return _by_bound(subjects, aim, sizes, seconds, advance)
    tried = _streamed(subjects, sizes, seconds, advance)
    return _tuned(aim, tried, subjects[0].name, lambda one: one.images_per_s)


def steps(subjects: Sequence[Subject], aim: Aim, *, batch_sizes: Sequence[int] = BATCH_SIZES) -> int:
    """How often `tune` calls `advance`, but for the repetitions that a bound on a percentile needs."""
    from lit_infer.bench.measure import ROUNDS

    sizes = len({*batch_sizes, DEFAULT_BATCH_SIZE})
    if aim.is_latency:
        return len(subjects) * ROUNDS + sizes * _ROUNDS
    return len(subjects) * sizes * (_ROUNDS if aim.percentile is None else ROUNDS)


def _by_latency(
    subjects: Sequence[Subject], aim: Aim, sizes: Sequence[int], seconds: float, advance: Callable[[], None]
) -> Tuned:
    """Engine and threads by the time of one call; then the batch size, for whoever hands over many, by throughput."""
    rows = measure(subjects, [1], seconds=seconds, advance=advance)
    calls = [_called(row, row.p50_ms, batch_size=DEFAULT_BATCH_SIZE) for row in rows]
    found = _tuned(aim, calls, subjects[0].name, lambda one: -(one.latency_ms or 0))
    chosen = found.chosen
    own = [one for one in subjects if (one.name, one.predictor.threads) == (chosen.engine, chosen.threads)]
    streamed = _streamed(own, sizes, seconds, advance)
    size = max(streamed, key=lambda one: one.images_per_s).batch_size
    best = Tried(chosen.engine, chosen.threads, size, chosen.images_per_s, chosen.latency_ms)
    return Tuned(aim, best, found.default, found.tried)


def _by_bound(
    subjects: Sequence[Subject], aim: Aim, sizes: Sequence[int], seconds: float, advance: Callable[[], None]
) -> Tuned:
    """A short look at all, then long ones at the best that may do: a percentile needs many calls."""
    assert aim.percentile is not None  # noqa: S101 - only called for such an aim
    percentile = aim.percentile
    rows = measure(subjects, sizes, seconds=seconds, advance=advance)
    tried = [_called(row, float(np.percentile(row.times_ms, percentile))) for row in rows]
    default = _default(tried, subjects[0].name)
    hopeful = [row for row in rows if row.p50_ms < aim.bound_ms]
    hopeful.sort(key=lambda row: -row.images_per_s)
    for start in range(0, len(hopeful), _AT_ONCE):
        proven = _long_look(subjects, hopeful[start : start + _AT_ONCE], percentile, seconds)
        within = [one for one in proven if (one.latency_ms or 0) < aim.bound_ms]
        if within:
            best = max(within, key=lambda one: one.images_per_s)
            return Tuned(aim, best, default, tuple(sorted(tried, key=lambda one: -one.images_per_s)))
    quickest = min(tried, key=lambda one: one.latency_ms or 0)
    raise GateError(
        f"no setting has p{percentile:g} below {aim.bound_ms:g} ms here; the quickest is {quickest} "
        f"with {quickest.latency_ms:.3g} ms. Nothing was written"
    )


def _long_look(subjects: Sequence[Subject], rows: Sequence[Row], percentile: float, seconds: float) -> Iterator[Tried]:
    for row in rows:
        own = [one for one in subjects if (one.name, one.predictor.threads) == (row.format, row.threads)]
        enough = 1.2 * calls_needed(percentile) * row.mean_ms / 1e3
        (again,) = measure(own, [row.batch_size], seconds=max(seconds, enough))
        yield _called(again, float(np.percentile(again.times_ms, percentile)))


def _streamed(
    subjects: Sequence[Subject], sizes: Sequence[int], seconds: float, advance: Callable[[], None]
) -> list[Tried]:
    """Images/s through `stream`, in turns; the median of the turns. Task tensor has no stream: calls, then."""
    if subjects[0].predictor.manifest.task == "tensor":
        return [_called(row, None) for row in measure(subjects, sizes, seconds=seconds, advance=advance)]
    streams = [_Stream(subject, size) for subject in subjects for size in sizes]
    try:
        for stream in streams:
            stream.warm_up(seconds / _ROUNDS)
        for _ in range(_ROUNDS):
            for stream in streams:
                stream.rates.append(stream.rate())
                advance()
    finally:
        for stream in streams:
            stream.predictor.close()
    return [Tried(one.engine, one.predictor.threads, one.size, median(one.rates)) for one in streams]


class _Stream:
    """One setting, as a folder would run with it."""

    def __init__(self, subject: Subject, size: int) -> None:
        self.engine, self.size = subject.name, size
        self.predictor, self.images = for_callers(subject, max_batch=size)
        self.count = 2 * self.predictor.threads * size
        self.rates: list[float] = []

    def warm_up(self, seconds: float) -> None:
        """The first batches allocate; the next say how many make a turn."""
        self.rate()
        self.count = max(self.count, round(self.rate() * seconds))

    def rate(self) -> float:
        """Images per second."""
        started = perf_counter()
        for prediction in self.predictor.stream(islice(cycle(self.images), self.count)):
            check(prediction)
        return self.count / (perf_counter() - started)


def _called(row: Row, latency_ms: float | None, *, batch_size: int | None = None) -> Tried:
    return Tried(row.format, row.threads, batch_size or row.batch_size, row.images_per_s, latency_ms)


def _tuned(aim: Aim, tried: Sequence[Tried], engine: str, worth: Callable[[Tried], float]) -> Tuned:
    default = _default(tried, engine)
    ordered = sorted(tried, key=worth, reverse=True)
    found = Tuned(aim, ordered[0], default, tuple(ordered))
    return found if found.gain > MARGIN else Tuned(aim, default, default, tuple(ordered))


def _default(tried: Sequence[Tried], engine: str) -> Tried:
    """What `load` takes where nothing was tuned."""
    for one in tried:
        if (one.engine, one.threads, one.batch_size) == (engine, usable_cpus(), DEFAULT_BATCH_SIZE):
            return one
    raise EngineError(f"the default setting ({engine}) was not measured")


def _thread_counts() -> list[int]:
    """1, 2, 4 ... and all cores."""
    cores = usable_cpus()
    return sorted({cores, *(2**power for power in range(cores.bit_length()) if 2**power <= cores)})
