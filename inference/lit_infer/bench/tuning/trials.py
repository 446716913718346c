"""The figures of single settings: latency under callers that fill every batch, and images/s through `stream`."""

from collections.abc import Callable, Sequence
from itertools import cycle, islice
from statistics import median
from time import perf_counter

import numpy as np

from lit_infer.bench.cells import calls, shared_by
from lit_infer.bench.measure import measure, take_turns
from lit_infer.bench.row_file import MeasuredRows, RowStream, can_stream
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
        if _has_items(subject)
        else calls(subject, size)
        for subject, size in settings
    ]
    rows = take_turns(cells, seconds=seconds, advance=advance)
    return [from_row(row, float(np.percentile(row.times_ms, percentile))) for row in rows]


def streamed(
    subjects: Sequence[Subject], sizes: Sequence[int], seconds: float, advance: Callable[[], None]
) -> list[Tried]:
    """Images/s through `stream`, or rows/s of a file: the median of several turns. A model of rows that has no file of
    them, or is not to share batches, is called instead.
    """
    if not _has_items(subjects[0]) or (subjects[0].rows is not None and not can_stream(subjects[0].predictor)):
        return [from_row(row, None) for row in measure(subjects, sizes, seconds=seconds, advance=advance)]
    streams = [_stream(subject, size) for subject in subjects for size in sizes]
    try:
        for stream in streams:
            stream.warm_up(seconds / STREAM_ROUNDS)
        for _ in range(STREAM_ROUNDS):
            for stream in streams:
                stream.rates.append(stream.rate())
                advance()
    finally:
        for stream in streams:
            stream.close()
    return [Tried(one.engine, one.threads, one.size, median(one.rates)) for one in streams]


def _has_items(subject: Subject) -> bool:
    """Whether there are images, or rows, to hand over; of images there is noise at least."""
    return subject.predictor.manifest.spec.takes_images or subject.rows is not None


def _stream(subject: Subject, size: int) -> "_Stream | _RowStream":
    return _Stream(subject, size) if subject.rows is None else _RowStream(subject, subject.rows, size)


class _RowStream:
    """One setting, run as on a file of rows."""

    def __init__(self, subject: Subject, rows: MeasuredRows, size: int) -> None:
        self.engine, self.size, self.threads = subject.name, size, subject.threads
        self._stream = RowStream(subject.predictor, rows, size)
        self.rates: list[float] = []

    def warm_up(self, seconds: float) -> None:
        """Two turns, which also show how many rows make one."""
        self._stream.grow(seconds)

    def rate(self) -> float:
        """Rows per second."""
        answered, taken = self._stream.turn()
        return answered / taken

    def close(self) -> None:
        """The predictor is the subject's, and other settings use it too."""


class _Stream:
    """One setting, run as on a folder of images."""

    def __init__(self, subject: Subject, size: int) -> None:
        self.engine, self.size = subject.name, size
        self.predictor, self.images = for_callers(subject, max_batch=size)
        self.threads = self.predictor.threads
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

    def close(self) -> None:
        """Release its threads."""
        self.predictor.close()


def from_row(row: BenchRow, latency_ms: float | None, *, batch_size: int | None = None) -> Tried:
    """A row as a trial; `batch_size`: if it is not the row's."""
    return Tried(row.format, row.threads, batch_size or row.batch_size, row.images_per_s, latency_ms)
