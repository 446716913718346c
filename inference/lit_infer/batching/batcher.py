"""Dynamic batching: callers submit single items and get futures; workers run the waiting items as one batch.

    submit -> the queue (bounded in items and bytes) -> a worker takes up to `max_batch` -> run_batch -> futures

No thread waits for work: a thread that submits an item starts a worker on a pool if there is room for one more, and a
worker that finds the queue empty ends. So an idle batcher costs nothing. A worker also prepares its items (decodes
and resizes, inside `run_batch`): plain threads that do everything for a few requests each were the fastest design.
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

    def has_expired(self, now: float) -> bool:
        return self.deadline is not None and now > self.deadline


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
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="lit-batch")
        self._queue: deque[_Waiting[T, R]] = deque()
        self._bytes = 0
        self._active = 0  # workers that were started and have not ended
        self._taking = False  # one of them has not taken its batch yet: what arrives now will be in it
        self._sleeps = False  # that one waits for its batch to fill up
        self._closed = False
        self._swept = False  # the full queue holds nothing that could be dropped
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)

    def submit(self, item: T, *, size: int = 0, timeout: float | None = None) -> Future[R]:
        """Queue one item. `size`: its bytes; `timeout`: seconds in which its batch must have begun.

        Cancelling the future before its batch begins drops the item. Raises OverloadedError when the queue is full;
        the future raises ExpiredError if the timeout passes first, or what `run_batch` raised.
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

    def close(self) -> None:
        """Take no more items, answer those waiting, then return. A second call does nothing."""
        with self._lock:
            self._closed = True
            self._changed.notify_all()
        self._pool.shutdown(wait=True)

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
        if not self._taking and self._active < self._workers:
            self._start_worker()
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

    def _start_worker(self) -> None:
        self._pool.submit(self._work)
        self._active += 1
        self._taking = True

    def _work(self) -> None:
        """A worker's life: take a batch, run it, until nothing is waiting or another worker is about to take it."""
        while batch := self._take():
            self._answer(batch)
            with self._lock:
                if self._taking or not self._queue:
                    self._active -= 1
                    return
                self._taking = True

    def _answer(self, batch: list[_Waiting[T, R]]) -> None:
        sleepers = []
        try:
            answers = self._run_batch([waiting.item for waiting in batch])
            for waiting, answer in zip(batch, answers, strict=True):
                if isinstance(answer, BaseException):
                    waiting.future.set_exception(answer)
                else:
                    sleepers += waiting.future.settle(answer)
        except BaseException as error:  # every waiting caller must get it, whatever it is
            for waiting in batch:
                if not waiting.future.done():
                    waiting.future.set_exception(error)
        for sleeper in sleepers:
            sleeper.release()

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
                elif waiting.future.set_running_or_notify_cancel():
                    batch.append(waiting)
            self._taking = self._swept = False
            if not batch:
                self._active -= 1
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


def _fail_expired(dropped: Sequence[_Waiting[T, R]]) -> None:
    """Never under the batcher's lock: a future's callback may submit again."""
    for waiting in dropped:
        if waiting.future.set_running_or_notify_cancel():
            waited = time.monotonic() - waiting.arrived
            waiting.future.set_exception(ExpiredError(f"dropped unanswered after {waited:.3f} s: its timeout passed"))
