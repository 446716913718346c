"""The figures of single settings: latency under callers that fill every batch, and images/s through `stream`."""

from collections.abc import Callable, Sequence
from itertools import cycle, islice
from statistics import median
from time import perf_counter

import numpy as np

from lit_infer.bench.cells import calls, shared_by
from lit_infer.bench.measure import measure, take_turns
from lit_infer.bench.rows import BenchRow
from lit_infer.bench.subjects import Subject, for_callers
from lit_infer.bench.target import check
from lit_infer.bench.tuning.aims import Tried

STREAM_ROUNDS = 3


def loaded(
    settings: Sequence[tuple[Subject, int]],
    percentile: float,
    seconds: float,
    advance: Callable[[], None] = lambda: None,
) -> list[Tried]:
    """Latency for callers of `submit`, when there are enough of them to fill a batch on every thread."""
    cells = [
        shared_by(subject, size * subject.predictor.threads, max_batch=size)
        if subject.predictor.manifest.spec.takes_images
        else calls(subject, size)
        for subject, size in settings
    ]
    rows = take_turns(cells, seconds=seconds, advance=advance)
    return [from_row(row, float(np.percentile(row.times_ms, percentile))) for row in rows]


def streamed(
    subjects: Sequence[Subject], sizes: Sequence[int], seconds: float, advance: Callable[[], None]
) -> list[Tried]:
    """Images/s through `stream`: the median of several turns. Task tensor has no stream and is called instead."""
    if not subjects[0].predictor.manifest.spec.takes_images:
        return [from_row(row, None) for row in measure(subjects, sizes, seconds=seconds, advance=advance)]
    streams = [_Stream(subject, size) for subject in subjects for size in sizes]
    try:
        for stream in streams:
            stream.warm_up(seconds / STREAM_ROUNDS)
        for _ in range(STREAM_ROUNDS):
            for stream in streams:
                stream.rates.append(stream.rate())
                advance()
    finally:
        for stream in streams:
            stream.predictor.close()
    return [Tried(one.engine, one.predictor.threads, one.size, median(one.rates)) for one in streams]


class _Stream:
    """One setting, run as on a folder of images."""

    def __init__(self, subject: Subject, size: int) -> None:
        self.engine, self.size = subject.name, size
        self.predictor, self.images = for_callers(subject, max_batch=size)
        self.count = 2 * self.predictor.threads * size
        self.rates: list[float] = []

    def warm_up(self, seconds: float) -> None:
        """The first batches allocate; the next ones show how many images make a turn."""
        self.rate()
        self.count = max(self.count, round(self.rate() * seconds))

    def rate(self) -> float:
        """Images per second."""
        started = perf_counter()
        for prediction in self.predictor.stream(islice(cycle(self.images), self.count)):
            check(prediction)
        return self.count / (perf_counter() - started)


def from_row(row: BenchRow, latency_ms: float | None, *, batch_size: int | None = None) -> Tried:
    """A row as a trial; `batch_size`: if it is not the row's."""
    return Tried(row.format, row.threads, batch_size or row.batch_size, row.images_per_s, latency_ms)
