"""Two queues for two kinds of items: quick ones never wait behind long ones. Each kind is batched on its own.

Both have workers of their own, and share the processor as its threads do: while nothing is long, or nothing quick, the
other kind has all of it.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from lit_infer.batching.batcher import Batch, Batcher, BatchPolicy

T = TypeVar("T")
R = TypeVar("R")


class Lanes(Generic[T, R]):
    """A batcher of quick items and one of long items, as if they were one."""

    def __init__(
        self,
        run_batch: Callable[[list[T]], Sequence[R | Exception]],
        *,
        policy: BatchPolicy,
        workers: int,
        long_workers: int,
    ) -> None:
        """`run_batch` is called from up to `workers` and `long_workers` threads at once; see `Batcher`."""
        self._quick: Batcher[T, R] = Batcher(run_batch, policy=policy, workers=workers)
        self._long: Batcher[T, R] = Batcher(run_batch, policy=policy, workers=long_workers)
        self._both = (self._quick, self._long)
        for one in self._both:
            one.prepare()

    @property
    def waiting(self) -> int:
        """Items in the queues now."""
        return sum(one.waiting for one in self._both)

    def submit(self, item: T, *, is_long: bool, size: int, timeout: float | None) -> Future[R]:
        """Queue one item. Raises OverloadedError when the queue of its kind is full."""
        return (self._long if is_long else self._quick).submit(item, size=size, timeout=timeout)

    def running(self) -> list[Batch[T, R]]:
        """The batches that are being run now."""
        return [batch for one in self._both for batch in one.running()]

    def stalled_for(self) -> float:
        """Seconds since a batch was last answered; 0 if there is nothing to do.

        Of the kind that is answered sooner: nobody can make quick items stall by sending long ones.
        """
        return min((stalled for one in self._both if (stalled := one.stalled_for())), default=0.0)

    def give_up(self, batch: Batch[T, R], errors: Sequence[Exception | None]) -> None:
        """As `Batcher.give_up`, which does nothing for the batch of another."""
        for one in self._both:
            one.give_up(batch, errors)

    def fail_all(self, error: Exception) -> None:
        """Take no more items, and fail all that wait or are being run."""
        for one in self._both:
            one.fail_all(error)

    def close(self, within: float) -> None:
        """Answer those waiting, then return; after so many seconds, fail them."""
        ends = time.monotonic() + within
        for one in self._both:
            one.close(max(0.0, ends - time.monotonic()))
