"""Find the engine, the threads and the batch size that serve an aim best on this machine.

    latency      the least median time of one call with one image
    throughput   the most images/s through `stream`, which is how `lit-infer` runs a folder
    p99<20ms     the most images/s through `submit` with p99 below 20 ms, under callers that fill every batch

What is found must beat the default by more than two measurements of the same thing differ; else the default stays.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from statistics import median
from time import perf_counter

import numpy as np

from lit_infer import bundle
from lit_infer.bench.aims import Aim, Tried, Tuned
from lit_infer.bench.cells import Row, calls, shared_by
from lit_infer.bench.latencies import calls_needed
from lit_infer.bench.measure import measure, take_turns
from lit_infer.bench.subjects import Subject, for_callers, sizes_for
from lit_infer.bench.target import check
from lit_infer.errors import EngineError, GateError, LitError, UsageError
from lit_infer.hardware import usable_cpus
from lit_infer.images import ImageInput
from lit_infer.manifest import Precision
from lit_infer.predictor import open_predictor

BATCH_SIZES = (1, 2, 4, 8, 16, 32)
MARGIN = 1.03
_ROUNDS = 3
_AT_ONCE = 4


@dataclass(frozen=True)
class Candidates:
    """What is tried: every engine that has a graph of this precision, with each number of threads."""

    subjects: list[Subject]
    """The first one's engine is the one that `load` takes by itself."""
    precision: Precision
    left_out: list[str]


def open_candidates(model: str, *, images: Sequence[ImageInput] = (), precision: str = "auto") -> Candidates:
    """Open what could be chosen. All of one precision: another one answers differently, which no speed excuses."""
    graphs = bundle.find(model)
    if graphs[0].manifest is None:
        raise UsageError(f"{model} is a lone graph file, and settings are kept for bundles: tune the bundle")
    default = bundle.choose(graphs, precision=precision)
    assert default.listed is not None  # noqa: S101 - a bundle's graph is listed
    kept = default.listed.precision
    first = default.engine.format
    offered = [graph.engine.format for graph in graphs if graph.listed is not None and graph.listed.precision == kept]
    subjects: list[Subject] = []
    left_out: list[str] = []
    for name in dict.fromkeys([first, *offered]):
        try:
            graph = bundle.choose(graphs, engine=name, precision=kept)
            for threads in _thread_counts():
                predictor = open_predictor(graph, device="auto", threads=threads)
                subjects.append(Subject(name, predictor, images=images))
        except LitError as error:
            if name == first:  # the default
                raise
            left_out.append(f"{name} is left out: {error}")
    return Candidates(subjects, kept, left_out)


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
    sizes = _sizes(subjects, batch_sizes)
    if aim.is_latency:
        return _by_latency(subjects, aim, sizes, seconds, advance)
    if aim.percentile is not None:
        return _by_bound(subjects, aim, sizes, seconds, advance)
    tried = _streamed(subjects, sizes, seconds, advance)
    return _tuned(aim, tried, subjects[0], lambda one: one.images_per_s)


def steps(subjects: Sequence[Subject], aim: Aim, *, batch_sizes: Sequence[int] = BATCH_SIZES) -> int:
    """How often `tune` calls `advance`, but for the repetitions that a bound on a percentile needs."""
    from lit_infer.bench.measure import ROUNDS

    sizes = len(_sizes(subjects, batch_sizes))
    if aim.is_latency:
        return len(subjects) * ROUNDS + sizes * _ROUNDS
    return len(subjects) * sizes * (_ROUNDS if aim.percentile is None else ROUNDS)


def _by_latency(
    subjects: Sequence[Subject], aim: Aim, sizes: Sequence[int], seconds: float, advance: Callable[[], None]
) -> Tuned:
    """Engine and threads by the time of one call; then the batch size, for whoever hands over many, by throughput."""
    usual = subjects[0].predictor.batch_size
    rows = measure(subjects, sizes_for(subjects[0], [1]), seconds=seconds, advance=advance)
    tried = [_called(row, row.p50_ms, batch_size=usual) for row in rows]
    found = _tuned(aim, tried, subjects[0], lambda one: -(one.latency_ms or 0))
    chosen = found.chosen
    own = [one for one in subjects if (one.name, one.predictor.threads) == (chosen.engine, chosen.threads)]
    streamed = _streamed(own, sizes, seconds, advance)
    # 3 % are within what two measurements differ by: the default gets them for granted.
    best = max(streamed, key=lambda one: one.images_per_s * (MARGIN if one.batch_size == usual else 1))
    return Tuned(aim, replace(chosen, batch_size=best.batch_size), found.default, found.tried)


def _by_bound(
    subjects: Sequence[Subject], aim: Aim, sizes: Sequence[int], seconds: float, advance: Callable[[], None]
) -> Tuned:
    """A short look at all, then long ones at the best that may do: a percentile needs many calls."""
    assert aim.percentile is not None  # noqa: S101 - only called for such an aim
    settings = [(subject, size) for size in sizes for subject in subjects]
    tried = _loaded(settings, aim.percentile, seconds, advance)
    default = _default(tried, subjects[0])
    order = sorted(range(len(tried)), key=lambda place: -tried[place].images_per_s)
    ordered = tuple(tried[place] for place in order)
    hopeful = [place for place in order if (tried[place].latency_ms or 0) < 2 * aim.bound_ms]
    for start in range(0, len(hopeful), _AT_ONCE):
        looked_at = {*hopeful[start : start + _AT_ONCE], tried.index(default)}
        enough = max(calls_needed(aim.percentile) / tried[place].images_per_s for place in looked_at)
        again = _loaded([settings[place] for place in looked_at], aim.percentile, max(seconds, 1.2 * enough))
        default = _default(again, subjects[0])
        if within := [one for one in again if (one.latency_ms or 0) < aim.bound_ms]:
            found = Tuned(aim, max(within, key=lambda one: one.images_per_s), default, ordered)
            return found if default not in within or found.gain > MARGIN else Tuned(aim, default, default, ordered)
    quickest = min(tried, key=lambda one: one.latency_ms or 0)
    raise GateError(
        f"no setting has p{aim.percentile:g} below {aim.bound_ms:g} ms here; the quickest is {quickest} "
        f"with {quickest.latency_ms:.3g} ms. Nothing was written"
    )


def _loaded(
    settings: Sequence[tuple[Subject, int]],
    percentile: float,
    seconds: float,
    advance: Callable[[], None] = lambda: None,
) -> list[Tried]:
    """What callers of `submit` see when there are enough of them to fill a batch on every thread."""
    cells = [
        shared_by(subject, size * subject.predictor.threads, max_batch=size)
        if subject.predictor.manifest.task != "tensor"
        else calls(subject, size)
        for subject, size in settings
    ]
    rows = take_turns(cells, seconds=seconds, advance=advance)
    return [_called(row, float(np.percentile(row.times_ms, percentile))) for row in rows]


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


def _tuned(aim: Aim, tried: Sequence[Tried], first: Subject, worth: Callable[[Tried], float]) -> Tuned:
    default = _default(tried, first)
    ordered = sorted(tried, key=worth, reverse=True)
    found = Tuned(aim, ordered[0], default, tuple(ordered))
    return found if found.gain > MARGIN else Tuned(aim, default, default, tuple(ordered))


def _sizes(subjects: Sequence[Subject], wanted: Sequence[int]) -> list[int]:
    """Those wanted and the default."""
    return sizes_for(subjects[0], sorted({*wanted, subjects[0].predictor.batch_size}))


def _default(tried: Sequence[Tried], first: Subject) -> Tried:
    """What `load` takes where nothing was tuned."""
    for one in tried:
        if (one.engine, one.threads, one.batch_size) == (first.name, usable_cpus(), first.predictor.batch_size):
            return one
    raise EngineError(f"the default setting ({first.name}) was not measured")


def _thread_counts() -> list[int]:
    """1, 2, 4 ... and all cores."""
    cores = usable_cpus()
    return sorted({cores, *(2**power for power in range(cores.bit_length()) if 2**power <= cores)})
