"""What takes turns in `measure`: callers that call one subject repeatedly, and how long each call took."""

import threading
import time
from typing import Protocol

from lit_infer.bench.callers import Caller, Callers
from lit_infer.bench.row_file import RowStream
from lit_infer.bench.rows import BenchRow, CallTimes, Described
from lit_infer.errors import OverloadedError

ROUNDS = 10


class Measurable(Described, Protocol):
    """What can be called: a graph in this process, or a served model."""

    def one(self, batch_size: int) -> Callers:
        """One caller, a batch per call."""

    def many(self, count: int, *, max_batch: int | None = None) -> Callers:
        """Many callers, an image each. `max_batch`: the most that are run together; None: the usual number."""


class Cell(Protocol):
    """What takes turns."""

    times: list[float]

    def warm_up(self) -> None:
        """Make the first calls, which allocate and compile."""

    def work_for(self, seconds: float) -> None:
        """Call for that long, and remember each call's time."""

    def row(self) -> BenchRow:
        """What was measured."""

    def close(self) -> None:
        """Release threads and connections."""


def calls(subject: Measurable, batch_size: int) -> Cell:
    """One caller, a batch per call."""
    return CallingCell(subject, subject.one(batch_size))


def shared_by(subject: Measurable, callers: int, *, max_batch: int | None = None) -> Cell:
    """Many callers, an image each."""
    return CallingCell(subject, subject.many(callers, max_batch=max_batch))


class FileCell:
    """A cell of a file of rows: each turn reads and answers its rows from the start, as `lit-infer` does."""

    def __init__(self, subject: Described, stream: RowStream, seconds: float) -> None:
        self._subject, self._stream, self._seconds = subject, stream, seconds
        self._answered = 0
        self.times: list[float] = []

    def warm_up(self) -> None:
        """Two turns, which also show how many rows make one."""
        self._stream.grow(self._seconds / ROUNDS)

    def work_for(self, seconds: float) -> None:
        """One turn; how long it takes was settled by warming up."""
        del seconds
        answered, taken = self._stream.turn()
        self._answered += answered
        self.times.append(taken)

    def row(self) -> BenchRow:
        """Rows over time; there are no calls that could have a latency."""
        subject = self._subject
        return BenchRow(
            format=subject.name,
            engine=subject.engine,
            device=subject.device,
            threads=subject.threads,
            batch_size=self._stream.size,
            via="file",
            callers=1,
            decoded=True,
            calls=len(self.times),
            p50_ms=None,
            p90_ms=None,
            p95_ms=None,
            p99_ms=None,
            p999_ms=None,
            mean_ms=None,
            images_per_s=self._answered / sum(self.times),
            unit="rows",
        )

    def close(self) -> None:
        """The model's threads are its predictor's."""


class CallingCell:
    """A cell of any callers. A single one calls from the thread that gives the turn, several from their own threads."""

    def __init__(self, subject: Described, callers: Callers) -> None:
        self._subject, self._callers = subject, callers
        self._record = CallTimes()
        self.times = self._record.times
        self.close = callers.close

    def warm_up(self) -> None:
        """Two calls each: the first allocates, and TorchScript compiles in the second."""
        self._all(2, until=0)
        self._record.clear()

    def work_for(self, seconds: float) -> None:
        """At least one call each."""
        started = time.perf_counter()
        try:
            self._all(1, until=started + seconds)
        finally:
            self._record.elapsed += time.perf_counter() - started

    def row(self) -> BenchRow:
        """Raises EngineError if no call was answered."""
        callers = self._callers
        return self._record.as_row(
            self._subject, batch_size=callers.batch_size, via=callers.via, callers=len(callers.each)
        )

    def _all(self, least: int, *, until: float) -> None:
        if len(self._callers.each) == 1:
            self._repeat(self._callers.each[0], least, until)
            return
        failed: list[BaseException] = []

        def repeat(caller: Caller) -> None:
            try:
                self._repeat(caller, least, until)
            except BaseException as error:  # raised again in the waiting thread
                failed.append(error)

        threads = [threading.Thread(target=repeat, args=(caller,), daemon=True) for caller in self._callers.each]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]

    def _repeat(self, caller: Caller, least: int, until: float) -> None:
        caller.wake()
        made, before = 0, time.perf_counter()
        while made < least or before < until:
            try:
                answer = caller.call()
            except OverloadedError as error:
                self._record.refused.append(str(error))
            else:
                self.times.append(time.perf_counter() - before)
                self._record.timings += caller.check(answer)
            made, before = made + 1, time.perf_counter()
