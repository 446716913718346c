"""The queue of one open model: encoded images and prepared arrays of all callers are queued and run together."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future

from lit_infer.batching.batcher import Batcher, BatchPolicy
from lit_infer.batching.sizes import fixed_batch, is_batched
from lit_infer.errors import EngineError
from lit_infer.server.models.batches import Answer, Work, engine_failed
from lit_infer.server.models.instances import Instances
from lit_infer.server.models.stats import Stats
from lit_infer.tensors import Arrays


class Runner:
    """Batches the requests for one open model. Any thread may submit."""

    def __init__(
        self,
        instances: Instances,
        *,
        policy: BatchPolicy,
        stats: Stats,
        on_death: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        """`on_death` is called with the error when the engine dies."""
        self.manifest = manifest = instances.opened.manifest
        self.policy = policy
        self.is_batched = is_batched(manifest)
        self.largest = fixed_batch(manifest) or policy.max_batch
        """The most rows of one run."""
        self.stats = stats
        self._answer = instances.answer
        self._on_death = on_death
        instances.watch(on_death)
        self._batcher: Batcher[Work, Answer] = Batcher(self._run_batch, policy=policy, workers=instances.opened.count)

    @property
    def waiting(self) -> int:
        """The number of items in the queue."""
        return self._batcher.waiting

    def submit_image(self, image: bytes, *, timeout: float | None) -> Future[Answer]:
        """Queue one encoded image. Raises OverloadedError."""
        return self._batcher.submit(Work(image, (), 1, time.perf_counter()), size=len(image), timeout=timeout)

    def submit_arrays(self, arrays: Arrays, *, timeout: float | None) -> list[Future[Answer]]:
        """Queue prepared rows, in parts of at most one batch. If it raises OverloadedError, none is queued."""
        futures: list[Future[Answer]] = []
        try:
            for part in self._parts(arrays):
                rows = len(part[0]) if self.is_batched else 1
                work = Work(None, part, rows, time.perf_counter())
                size = sum(array.nbytes for array in part)
                futures.append(self._batcher.submit(work, size=size, timeout=timeout))
        except BaseException:
            for future in futures:
                future.cancel()
            raise
        return futures

    def close(self) -> None:
        """Answer what is queued, then return."""
        self._batcher.close()

    def _parts(self, arrays: Arrays) -> Iterator[Arrays]:
        if not self.is_batched or len(arrays[0]) <= self.largest:
            yield arrays
            return
        for first in range(0, len(arrays[0]), self.largest):
            yield tuple(array[first : first + self.largest] for array in arrays)

    def _run_batch(self, works: Sequence[Work]) -> Sequence[Answer | Exception]:
        started = time.perf_counter()
        try:
            batch = self._answer(works)
        except EngineError:  # the instance is lost; its watcher has been notified
            return [engine_failed(self.manifest)] * len(works)
        for one in batch.executions:
            self.stats.ran(one.rows, compute_input=one.compute_input, compute_infer=one.compute_infer)
        if batch.death is not None:
            self._on_death(batch.death)
        for work, answer in zip(works, batch.answers, strict=True):
            if isinstance(answer, Answer):
                answer.queue = started - work.arrived
        return batch.answers
