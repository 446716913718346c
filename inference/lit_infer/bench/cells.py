"""One line of a measurement: who calls what, and how long each call took."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Literal, Protocol

import numpy as np

from lit_infer.bench.latencies import percentiles
from lit_infer.bench.subjects import Subject, for_callers
from lit_infer.errors import UsageError
from lit_infer.predictions import Prediction, Timings
from lit_infer.predictor import Predictor

ROUNDS = 10
STAGES = ("read", "decode", "resize", "infer")


@dataclass(frozen=True)
class Row:
    """Latency of one call, and what all callers together make per second."""

    format: str
    """Its format, and its precision where that is not fp32."""
    engine: str
    device: str
    threads: int
    batch_size: int
    """Images per call; the most that `submit` puts in a batch."""
    via: Literal["call", "submit"]
    """call: one caller, a batch at a time, with all threads. submit: each caller hands over one image and waits."""
    callers: int
    decoded: bool
    """Whether reading, decoding and resizing are part of the call."""
    calls: int
    p50_ms: float
    p90_ms: float | None
    """None, like all below: too few calls to tell."""
    p95_ms: float | None
    p99_ms: float | None
    p999_ms: float | None
    mean_ms: float
    images_per_s: float
    """All images over all the time, not over the median: a slow call counts."""
    stages_ms: dict[str, float] | None = None
    """Mean work on one image: read, decode, resize, infer. None where the graph alone is measured."""
    times_ms: tuple[float, ...] = field(default=(), repr=False, compare=False)


class Cell(Protocol):
    """What `measure` gives turns to."""

    times: list[float]

    def warm_up(self) -> None:
        """Call what allocates and compiles at first."""

    def work_for(self, seconds: float) -> None:
        """Call for so long, and remember each call's time."""

    def row(self) -> Row:
        """What was found."""

    def close(self) -> None:
        """Let go of threads."""


def calls(subject: Subject, batch_size: int) -> Cell:
    """One caller, a batch per call."""
    if subject.images:
        return _Calls(subject, batch_size, _predict(subject, batch_size))
    return _Calls(subject, batch_size, _run(subject, batch_size))


def shared_by(subject: Subject, callers: int, *, max_batch: int | None = None) -> Cell:
    """Many callers, an image each, batched by `submit`; in batches as the predictor has them if not said."""
    return _Callers(subject, callers, max_batch)


@dataclass
class _Record:
    times: list[float] = field(default_factory=list)
    timings: list[Timings] = field(default_factory=list)
    elapsed: float = 0.0

    def as_row(self, subject: Subject, *, batch_size: int, via: Literal["call", "submit"], callers: int = 1) -> Row:
        milliseconds = np.array(self.times) * 1e3
        images = len(self.times) * (batch_size if via == "call" else 1)
        p50, p90, p95, p99, p999 = percentiles(milliseconds).values()
        assert p50 is not None  # noqa: S101 - the median is always told
        return Row(
            format=subject.name,
            engine=subject.predictor.engine,
            device=subject.predictor.device,
            threads=subject.predictor.threads,
            batch_size=batch_size,
            via=via,
            callers=callers,
            decoded=bool(subject.images),
            calls=len(self.times),
            p50_ms=p50,
            p90_ms=p90,
            p95_ms=p95,
            p99_ms=p99,
            p999_ms=p999,
            mean_ms=float(milliseconds.mean()),
            images_per_s=images / self.elapsed,
            stages_ms=_stages(self.timings) if subject.images else None,
            times_ms=tuple(milliseconds.tolist()),
        )


class _Calls:
    def __init__(self, subject: Subject, batch_size: int, call: Callable[[], Sequence[Prediction]]) -> None:
        self.subject, self.batch_size, self.call = subject, batch_size, call
        self.record = _Record()
        self.times = self.record.times

    def warm_up(self) -> None:
        self.call()
        self.call()  # the first call allocates, and TorchScript compiles in the second

    def work_for(self, seconds: float) -> None:
        started = before = time.perf_counter()
        try:
            while before < started + seconds:
                found = self.call()
                self.times.append(time.perf_counter() - before)
                self.record.timings += _checked(found)
                before = time.perf_counter()
        finally:
            self.record.elapsed += time.perf_counter() - started

    def row(self) -> Row:
        return self.record.as_row(self.subject, batch_size=self.batch_size, via="call")

    def close(self) -> None:
        pass


class _Callers:
    def __init__(self, subject: Subject, callers: int, max_batch: int | None) -> None:
        self.subject, self.callers = subject, callers
        self.predictor, self.images = for_callers(subject, max_batch=max_batch)
        self.record = _Record()
        self.times = self.record.times

    def warm_up(self) -> None:
        self._all(2, until=0)
        self.times.clear()
        self.record.timings.clear()

    def work_for(self, seconds: float) -> None:
        started = time.perf_counter()
        try:
            self._all(1, until=started + seconds)
        finally:
            self.record.elapsed += time.perf_counter() - started

    def row(self) -> Row:
        return self.record.as_row(
            self.subject, batch_size=self.predictor.policy.max_batch, via="submit", callers=self.callers
        )

    def close(self) -> None:
        self.predictor.close()

    def _all(self, least: int, *, until: float) -> None:
        failed: list[BaseException] = []

        def caller(number: int) -> None:
            try:
                self._calls(number, least, until)
            except BaseException as error:  # told to the thread that waits
                failed.append(error)

        threads = [threading.Thread(target=caller, args=(number,), daemon=True) for number in range(self.callers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]

    def _calls(self, number: int, least: int, until: float) -> None:
        made, before = 0, time.perf_counter()
        while made < least or before < until:
            image = self.images[(number + made) % len(self.images)]
            found = self.predictor.submit(image, timings=True).result()
            self.times.append(time.perf_counter() - before)
            self.record.timings += _checked([found])
            made, before = made + 1, time.perf_counter()


def _run(subject: Subject, batch_size: int) -> Callable[[], Sequence[Prediction]]:
    predictor, arrays = subject.predictor, subject.arrays(batch_size)

    def run() -> Sequence[Prediction]:
        predictor.run(arrays)
        return ()

    return run


def _predict(subject: Subject, batch_size: int) -> Callable[[], Sequence[Prediction]]:
    endless = cycle(subject.images)
    predictor: Predictor = subject.predictor
    return lambda: predictor.predict(list(islice(endless, batch_size)), batch_size=batch_size, timings=True)


def _checked(predictions: Sequence[Prediction]) -> list[Timings]:
    """The timings. An image that cannot be read would be answered faster than any other."""
    for prediction in predictions:
        if prediction.error is not None:
            raise UsageError(f"cannot measure with {prediction.path or 'an image'}: {prediction.error}")
    return [prediction.timings for prediction in predictions if prediction.timings is not None]


def _stages(timings: Sequence[Timings]) -> dict[str, float] | None:
    if not timings:
        return None
    return {name: float(np.mean([getattr(one, f"{name}_ms") for one in timings])) for name in STAGES}
