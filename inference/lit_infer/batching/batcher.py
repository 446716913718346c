"""Dynamic batching: callers submit single items and get futures; workers run the waiting items as one batch.

    submit -> the queue (bounded in items and bytes) -> a worker takes up to `max_batch` -> run_batch -> futures

No thread waits for work: a thread that submits an item starts a worker on a pool if there is room for one more, and a
worker that finds the queue empty ends. So an idle batcher costs nothing. A worker also prepares its items (decodes
and resizes, inside `run_batch`): plain threads that do everything for a few requests each were the fastest design.

A batch that takes too long can be given up: its items fail or are queued again, and another worker takes the place of
its own, which no one can stop.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from lit_infer.batching.futures import QuickFuture
from lit_infer.errors import ExpiredError, OverloadedError, UsageError

BATCH_THREADS = "lit-batch"
"""How the names of workers begin."""
_MOST_HANGING = 4
"""Workers that may hang, or as many as there are workers, until no other takes the place of one."""
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """When a batch is run, and how much may wait."""

    max_batch: int = 8
    max_delay: float = 0.0
    """Seconds that a batch waits to fill up, from its first item on. 0: a batch is what waits when a worker is free,
    so batches grow with the load and a lone item never waits."""
    max_items: int = 1024
    """Waiting items. One more is refused at once with OverloadedError."""
    max_bytes: int = 256 * 2**20
    """Waiting bytes, as given to `submit`."""

    def __post_init__(self) -> None:
        if self.max_batch < 1 or self.max_items < 1 or self.max_bytes < 1 or self.max_delay < 0:
            raise UsageError(f"a batch policy's sizes must be at least 1 and its delay at least 0, not {self}")


class _Waiting(msgspec.Struct, Generic[T, R]):
    item: T
    future: QuickFuture[R]
    size: int
    arrived: float = 0.0
    """Not set for an item that can neither expire nor keep a batch waiting."""
    deadline: float | None = None
    runs_by: float = 0.0
    """When a batch with this item stops waiting for more."""
    is_back: bool = False
    """Its batch was given up, and it waits for another."""

    def has_expired(self, now: float) -> bool:
        return self.deadline is not None and now > self.deadline


class Batch(msgspec.Struct, Generic[T, R], eq=False):
    """A batch that is being run."""

    waiting: list[_Waiting[T, R]]
    thread: int
    started: float
    """By time.monotonic."""
    is_given_up: bool = False
    keeps_place: bool = False
    """No worker has taken the place of its own: too many are hanging."""


class _Start(msgspec.Struct):
    """A call of a worker."""

    is_void: bool = False
    """It was taken back."""


class Batcher(Generic[T, R]):
    """Batches the items of many threads. `submit` may be called from any thread, and from callbacks of futures."""

    def __init__(
        self,
        run_batch: Callable[[list[T]], Sequence[R | Exception]],
        *,
        policy: BatchPolicy | None = None,
        workers: int = 1,
    ) -> None:
        """`run_batch` answers items in order; an Exception instead of an answer fails that item alone. It is called
        from up to `workers` threads at once.
        """
        self.policy = policy or BatchPolicy()
        self._run_batch = run_batch
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=BATCH_THREADS)
        self._queue: deque[_Waiting[T, R]] = deque()
        self._bytes = 0
        self._active = 0  # workers that were started and have not ended
        self._taking = False  # one of them has not taken its batch yet: what arrives now will be in it
        self._sleeps = False  # that one waits for its batch to fill up
        self._closed = False
        self._swept = False  # the full queue holds nothing that could be dropped
        self._running: set[Batch[T, R]] = set()
        self._hanging = 0  # workers whose batches were given up and that have not ended
        self._progressed = 0.0
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)

    def submit(self, item: T, *, size: int = 0, timeout: float | None = None) -> Future[R]:
        """Queue one item. `size`: its bytes; `timeout`: seconds in which its batch must have begun.

        Cancelling the future before its batch begins drops the item. Raises OverloadedError when the queue is full, or
        when there is no memory for the first thread; the future raises ExpiredError if the timeout passes first, or
        what `run_batch` raised.
        """
        waiting: _Waiting[T, R] = self._as_waiting(item, size, timeout)
        dropped: list[_Waiting[T, R]] = []
        with self._lock:
            if self._closed:
                raise UsageError("closed: no more items are taken")
            if not (fits := self._fits(size)):
                dropped = self._sweep()  # dropping what is no longer awaited makes room
                fits = self._fits(size)
            if fits:
                self._enqueue(waiting)
        if dropped:
            _fail_expired(dropped)
        if not fits:
            raise OverloadedError(
                f"{len(self._queue)} items ({self._bytes:,} bytes) are already waiting; the queue's limits are "
                f"{self.policy.max_items:,} items and {self.policy.max_bytes:,} bytes. Try again later"
            )
        return waiting.future

    def prepare(self) -> None:
        """Start a thread now: when the first item comes, memory may be too short for one."""
        self._pool.submit(bool)

    def close(self, within: float | None = None) -> None:
        """Take no more items, answer those waiting, then return. A second call does nothing.

        `within`: seconds after which what is unanswered fails instead.
        """
        with self._lock:
            self._closed = True
            self._changed.notify_all()
            is_done = self._changed.wait_for(lambda: not self._active, within)
        if not is_done:
            self.fail_all(ExpiredError("unanswered: the model was closed"))
        self._pool.shutdown(wait=not self._hanging)

    def running(self) -> "list[Batch[T, R]]":
        """The batches that are being run now."""
        with self._lock:
            return list(self._running)

    def stalled_for(self) -> float:
        """Seconds since a batch was last answered; 0 if there is nothing to do."""
        with self._lock:
            return time.monotonic() - self._progressed if self._active else 0.0

    def give_up(self, batch: "Batch[T, R]", errors: Sequence[Exception | None]) -> None:
        """Fail the items of a batch that takes too long, or queue those without an error again, before all others.

        Its worker cannot be stopped: unless too many are hanging, another one takes its place. Does nothing if the
        batch has been answered meanwhile.
        """
        with self._lock:
            if batch not in self._running:
                return
            self._running.discard(batch)
            batch.is_given_up = True
            self._hanging += 1
            back = [one for one, error in zip(batch.waiting, errors, strict=True) if error is None]
            for one in back:
                one.is_back, one.deadline = True, None  # it had begun in time
            self._queue.extendleft(reversed(back))
            self._bytes += sum(one.size for one in back)
            batch.keeps_place = self._hanging > max(_MOST_HANGING, self._workers)
            if not batch.keeps_place:
                self._pool.shutdown(wait=False)  # its threads end when they are free
                self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix=BATCH_THREADS)
                self._end_worker()
                self._start_if_needed()
        for one, error in zip(batch.waiting, errors, strict=True):
            if error is not None:
                one.future.set_exception(error)

    def fail_all(self, error: Exception) -> None:
        """Take no more items, and fail all that wait or are being run."""
        with self._lock:
            self._closed = True
            queued, running = list(self._queue), list(self._running)
            self._queue.clear()
            self._bytes = 0
        for batch in running:
            self.give_up(batch, [error] * len(batch.waiting))
        for waiting in queued:
            if waiting.is_back or waiting.future.set_running_or_notify_cancel():
                waiting.future.set_exception(error)

    @property
    def waiting(self) -> int:
        """Items in the queue now."""
        return len(self._queue)

    def _as_waiting(self, item: T, size: int, timeout: float | None) -> _Waiting[T, R]:
        delay = self.policy.max_delay
        if timeout is None and not delay:
            return _Waiting(item, QuickFuture(), size)
        now = time.monotonic()
        if timeout is None:
            return _Waiting(item, QuickFuture(), size, now, None, now + delay)
        # Waiting for the batch to fill must not make an item miss its deadline.
        return _Waiting(item, QuickFuture(), size, now, now + timeout, now + min(delay, timeout / 2))

    def _enqueue(self, waiting: _Waiting[T, R]) -> None:
        if not self._taking and self._active < self._workers and not self._start_worker() and not self._active:
            raise OverloadedError("there is not enough memory for another thread now: try again later")
        self._queue.append(waiting)
        self._bytes += waiting.size
        # A sleeping worker waits for its batch to fill up; an item with a deadline may cut that short.
        if self._sleeps and (waiting.deadline is not None or len(self._queue) >= self.policy.max_batch):
            self._changed.notify()

    def _sweep(self) -> list[_Waiting[T, R]]:
        """Remove cancelled and expired items from the full queue; the expired ones are still to be failed."""
        if self._swept:
            return []
        self._swept = True  # until a batch is taken: a flood of refused items must not search the queue each time
        now, kept = time.monotonic(), deque[_Waiting[T, R]]()
        dropped: list[_Waiting[T, R]] = []
        for waiting in self._queue:
            gone = waiting.future.cancelled() or waiting.has_expired(now)
            (dropped if gone else kept).append(waiting)
        self._queue, self._bytes = kept, sum(waiting.size for waiting in kept)
        return dropped

    def _fits(self, size: int) -> bool:
        return len(self._queue) < self.policy.max_items and self._bytes + size <= self.policy.max_bytes

    def _start_worker(self) -> bool:
        """False: there is no memory for another thread. Those that are there take what waits when they are free."""
        start = _Start()
        try:
            self._pool.submit(self._work, start)
        except RuntimeError:
            start.is_void = True  # the pool keeps the call for a thread that it may have later
            return False
        if not self._active:
            self._progressed = time.monotonic()
        self._active += 1
        self._taking = True
        return True

    def _start_if_needed(self) -> None:
        if self._queue and not self._taking and self._active < self._workers:
            self._start_worker()

    def _end_worker(self) -> None:
        self._active -= 1
        if self._closed:
            self._changed.notify_all()

    def _work(self, start: _Start) -> None:
        """A worker's life: take a batch, run it, until nothing is waiting or another worker is about to take it."""
        with self._lock:
            if start.is_void:
                return
        while batch := self._take():
            if not self._answer(batch):
                return
            with self._lock:
                if self._taking or not self._queue:
                    self._end_worker()
                    return
                self._taking = True

    def _answer(self, waiting: list[_Waiting[T, R]]) -> bool:
        """Run a batch and settle its futures. False: it was given up meanwhile, and the worker ends."""
        batch = Batch(waiting, threading.get_ident(), time.monotonic())
        self._running.add(batch)
        answers: Sequence[R | Exception] = ()
        failure: BaseException | None = None
        try:
            answers = self._run_batch([one.item for one in waiting])
        except BaseException as error:  # every waiting caller must get it, whatever it is
            failure = error
        with self._lock:
            if batch.is_given_up:
                self._end_hanging(batch)
                return False
            self._running.discard(batch)
            self._progressed = time.monotonic()
        _settle(waiting, answers, failure)
        return True

    def _end_hanging(self, batch: Batch[T, R]) -> None:
        self._hanging -= 1
        if batch.keeps_place:
            self._end_worker()
            self._start_if_needed()

    def _take(self) -> list[_Waiting[T, R]]:
        """The next batch, without cancelled and expired items. Empty: nothing is left, and the worker ends."""
        batch: list[_Waiting[T, R]] = []
        dropped: list[_Waiting[T, R]] = []
        with self._lock:
            self._wait_to_fill()
            now = time.monotonic()
            while self._queue and len(batch) < self.policy.max_batch:
                waiting = self._queue.popleft()
                self._bytes -= waiting.size
                if waiting.deadline is not None and waiting.has_expired(now):
                    dropped.append(waiting)
                elif waiting.is_back or waiting.future.set_running_or_notify_cancel():
                    batch.append(waiting)
            self._taking = self._swept = False
            if not batch:
                self._end_worker()
            elif self._queue and self._active < self._workers and not self._closed:
                self._start_worker()
        _fail_expired(dropped)
        return batch

    def _wait_to_fill(self) -> None:
        while self.policy.max_delay and not self._closed and 0 < len(self._queue) < self.policy.max_batch:
            left = min(waiting.runs_by for waiting in self._queue) - time.monotonic()
            if left <= 0:
                return
            self._sleeps = True
            self._changed.wait(left)
            self._sleeps = False


def _settle(waiting: Sequence[_Waiting[T, R]], answers: Sequence[R | Exception], failure: BaseException | None) -> None:
    sleepers = []
    if failure is None and len(answers) != len(waiting):
        failure = ValueError(f"{len(answers)} answers for {len(waiting)} items")
    if failure is not None:
        for one in waiting:
            one.future.set_exception(failure)
        return
    for one, answer in zip(waiting, answers, strict=True):
        if isinstance(answer, BaseException):
            one.future.set_exception(answer)
        else:
            sleepers += one.future.settle(answer)
    for sleeper in sleepers:
        sleeper.release()


def _fail_expired(dropped: Sequence[_Waiting[T, R]]) -> None:
    """Never under the batcher's lock: a future's callback may submit again."""
    for waiting in dropped:
        if waiting.future.set_running_or_notify_cancel():
            waited = time.monotonic() - waiting.arrived
            waiting.future.set_exception(ExpiredError(f"dropped unanswered after {waited:.3f} s: its timeout passed"))
