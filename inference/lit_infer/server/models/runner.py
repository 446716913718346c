"""The queue of one open model: encoded images and prepared arrays of all callers are queued and run together."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future

from lit_infer.batching.batcher import Batch, BatchPolicy
from lit_infer.batching.lanes import Lanes
from lit_infer.batching.sizes import check_images, fixed_batch, is_batched
from lit_infer.errors import EngineError, InputError
from lit_infer.server.models.batches import Answer, Interest, Work, engine_failed
from lit_infer.server.models.hanging import HangLimits, Watchdog
from lit_infer.server.models.instances import Instances
from lit_infer.server.models.packed import are_quick
from lit_infer.server.models.stats import Stats
from lit_infer.tensors import Arrays

log = logging.getLogger("lit_serve")


class Runner:
    """Batches the requests for one open model. Any thread may submit."""

    def __init__(
        self,
        instances: Instances,
        *,
        policy: BatchPolicy,
        stats: Stats,
        limits: HangLimits | None = None,
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
        self._limits = limits or HangLimits()
        self._instances = instances
        self._lanes: Lanes[Work, Answer] = Lanes(
            self._run_batch, policy=policy, workers=instances.opened.count, long_workers=instances.for_long
        )
        self._watchdog = Watchdog(self._look, every=self._limits.interval)

    @property
    def waiting(self) -> int:
        """The number of items in the queue."""
        return self._lanes.waiting

    @property
    def is_stalled(self) -> bool:
        """Whether requests are waiting and no batch has been answered for too long."""
        return self._lanes.stalled_for() > self._limits.stall

    def submit_image(self, image: bytes, *, timeout: float | None, interest: Interest | None = None) -> Future[Answer]:
        """Queue one encoded image, or several that are `packed`.

        One that takes long to decode delays only others of its kind.

        Raises OverloadedError, UsageError for a graph that takes whole batches only.
        """
        check_images(self.manifest, 1)
        work = Work(image, (), 1, time.perf_counter(), interest or Interest())
        return self._lanes.submit(
            work, is_long=not are_quick(image, len(self.manifest.image_names)), size=len(image), timeout=timeout
        )

    def submit_arrays(
        self, arrays: Arrays, *, timeout: float | None, interest: Interest | None = None
    ) -> list[Future[Answer]]:
        """Queue prepared rows, in parts of at most one batch. If it raises OverloadedError, none is queued."""
        futures: list[Future[Answer]] = []
        try:
            for part in self._parts(arrays):
                rows = len(part[0]) if self.is_batched else 1
                work = Work(None, part, rows, time.perf_counter(), interest or Interest())
                size = sum(array.nbytes for array in part)
                futures.append(self._lanes.submit(work, is_long=False, size=size, timeout=timeout))
        except BaseException:
            for future in futures:
                future.cancel()
            raise
        return futures

    def close(self, within: float | None = None) -> None:
        """Answer what is queued, then return. `within`: seconds after which what is left fails instead."""
        self._lanes.close(self._limits.hang if within is None else within)
        self._watchdog.stop()
        # Whoever is told of deaths refers to the model: a cycle, and what a start has frozen is never collected.
        self._on_death = lambda _: None
        self._instances.watch(self._on_death)

    def _look(self) -> None:
        """Give up batches that take too long: for one image that is prepared, or for the engine."""
        now = time.monotonic()
        for batch in self._lanes.running():
            phase = self._instances.phase(batch.thread)
            if phase is not None and phase.item is not None:
                if now - phase.since > self._limits.image:
                    self._give_up_image(batch, phase.item)
            elif now - (phase.since if phase else batch.started) > self._limits.hang:
                self._give_up_engine(batch.thread)

    def _give_up_image(self, batch: Batch[Work, Answer], index: int) -> None:
        """The image fails; the others of its batch are prepared again, by another thread."""
        error = InputError(f"preparing the image took longer than {self._limits.image:g} s", code="too_slow")
        log.warning("%s: %s; the thread is replaced", self.manifest.name, error)
        self._lanes.give_up(batch, [error if i == index else None for i in range(len(batch.waiting))])

    def _give_up_engine(self, thread: int) -> None:
        if self._instances.stop(thread):  # the batch fails by that
            return
        self._lanes.fail_all(engine_failed(self.manifest))
        self._on_death(EngineError(f"a batch took longer than {self._limits.hang:g} s"))

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
