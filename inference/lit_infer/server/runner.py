"""One open model's batches: encoded images and prepared arrays of all callers wait together and run together.

An item is one image, or some rows of prepared arrays. A batch that fails is run again item by item, so that one bad
item fails alone; an engine that cannot even run its warm-up input any more is reported as dead.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.batcher import Batcher, BatchPolicy
from lit_infer.engines import Run
from lit_infer.errors import EngineError, InputError, LitError
from lit_infer.manifest import Manifest
from lit_infer.predictor import Predictor
from lit_infer.server.stats import Stats

Arrays = tuple[NDArray[Any], ...]


@dataclass(frozen=True, slots=True)
class Work:
    """One item: an encoded image, or arrays for all inputs in the manifest's order."""

    image: bytes | None
    arrays: Arrays
    rows: int
    arrived: float
    """When it was submitted, by time.perf_counter."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The outputs of one item, in the manifest's order, and the seconds that it took."""

    outputs: Arrays
    rows: int
    queue: float
    compute_input: float
    compute_infer: float


@dataclass(frozen=True, slots=True)
class _Ready:
    """An item as the graph takes it, with its place in the batch and the seconds its preparation took."""

    place: int
    arrays: Arrays
    rows: int
    took: float


class Runner:
    """Batches for one open model. `submit` from any thread."""

    def __init__(
        self,
        predictor: Predictor,
        run: Run,
        *,
        policy: BatchPolicy,
        stats: Stats,
        on_death: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        """`run`: the predictor's graph, for calls from `predictor.threads` threads at once."""
        self.manifest = manifest = predictor.manifest
        self.policy = policy
        self.is_batched = is_batched(manifest)
        self.fixed_batch = fixed_batch(manifest)
        self.largest = self.fixed_batch or policy.max_batch
        """Rows of one run."""
        self._run = run
        self.stats = stats
        self._prepare = predictor.prepare
        self._on_death = on_death
        self._batcher: Batcher[Work, Answer] = Batcher(self._run_batch, policy=policy, workers=predictor.threads)

    @property
    def waiting(self) -> int:
        """Items in the queue now."""
        return self._batcher.waiting

    def submit_image(self, image: bytes, *, timeout: float | None) -> Future[Answer]:
        """Queue one encoded image. Raises OverloadedError."""
        return self._batcher.submit(Work(image, (), 1, time.perf_counter()), size=len(image), timeout=timeout)

    def submit_arrays(self, arrays: Arrays, *, timeout: float | None) -> list[Future[Answer]]:
        """Queue prepared rows, in parts of at most one batch. Raises OverloadedError, and then none is queued."""
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

    def warm_up(self) -> None:
        """Run every size of batch once that engines keep apart. Raises what the engine raises."""
        for rows in self._buckets():
            self._run(list(_blank(self.manifest, rows)))

    def close(self) -> None:
        """Answer what waits, then return."""
        self._batcher.close()

    def _buckets(self) -> Iterator[int]:
        if not self.is_batched or self.fixed_batch:
            yield self.fixed_batch or 1
            return
        rows = 1
        while rows < self.largest:
            yield rows
            rows *= 2
        yield self.largest

    def _parts(self, arrays: Arrays) -> Iterator[Arrays]:
        if not self.is_batched or len(arrays[0]) <= self.largest:
            yield arrays
            return
        for first in range(0, len(arrays[0]), self.largest):
            yield tuple(array[first : first + self.largest] for array in arrays)

    def _run_batch(self, works: Sequence[Work]) -> list[Answer | Exception]:
        started = time.perf_counter()
        answers: list[Answer | Exception] = [EngineError("not answered")] * len(works)
        ready = []
        for place, work in enumerate(works):
            one = self._ready(place, work)
            if isinstance(one, InputError):
                answers[place] = one
            else:
                ready.append(one)
        for group in self._groups(ready):
            self._answer_group(group, works, answers, started)
        return answers

    def _ready(self, place: int, work: Work) -> _Ready | InputError:
        if work.image is None:
            return _Ready(place, work.arrays, work.rows, 0.0)
        started = time.perf_counter()
        try:
            pixels = self._prepare(work.image)
        except InputError as error:
            return error
        return _Ready(place, (pixels[None],), 1, time.perf_counter() - started)

    def _groups(self, ready: Sequence[_Ready]) -> Iterator[list[_Ready]]:
        """Items that run together: no more rows than a batch has, and alike in every other side."""
        group: list[_Ready] = []
        for one in ready:
            rows = sum(other.rows for other in group)
            if group and (not self.is_batched or rows + one.rows > self.largest or not _alike(group[0], one)):
                yield group
                group = []
            group.append(one)
        if group:
            yield group

    def _answer_group(
        self, group: list[_Ready], works: Sequence[Work], answers: list[Answer | Exception], started: float
    ) -> None:
        joining = time.perf_counter()
        try:
            outputs, infer = self._run_joined(group)
        except Exception as error:  # an engine may raise anything
            self._answer_alone(group, works, answers, error)
            return
        prepared = sum(one.took for one in group) + time.perf_counter() - joining - infer
        rows, first = sum(one.rows for one in group), 0
        self.stats.ran(rows, compute_input=prepared, compute_infer=infer)
        for one in group:
            own = tuple(output[first : first + one.rows] for output in outputs) if self.is_batched else outputs
            share = one.rows / rows
            queue = started - works[one.place].arrived
            answers[one.place] = Answer(own, one.rows, queue, prepared * share, infer * share)
            first += one.rows

    def _run_joined(self, group: Sequence[_Ready]) -> tuple[Arrays, float]:
        """The outputs for all rows of a group, and the seconds the graph took."""
        arrays = group[0].arrays
        if len(group) > 1:
            arrays = tuple(np.concatenate(column) for column in zip(*(one.arrays for one in group), strict=True))
        rows = sum(one.rows for one in group)
        if self.fixed_batch and rows < self.fixed_batch:
            arrays = tuple(_padded(array, self.fixed_batch) for array in arrays)
        started = time.perf_counter()
        outputs = tuple(self._run(list(arrays)))
        return outputs, time.perf_counter() - started

    def _answer_alone(
        self, group: list[_Ready], works: Sequence[Work], answers: list[Answer | Exception], error: Exception
    ) -> None:
        """After a failure: is the engine dead, or is one of the items more than it can run?"""
        try:
            self._run(list(_blank(self.manifest, self.fixed_batch or 1)))
        except Exception as dead:
            self._on_death(dead)
            for one in group:
                answers[one.place] = EngineError(f"{self.manifest.name}: the engine failed and is opened again")
            return
        if len(group) == 1:
            answers[group[0].place] = _cannot_run(error)
            return
        for one in group:
            self._answer_group([one], works, answers, time.perf_counter())


def is_batched(manifest: Manifest) -> bool:
    """Whether the first side of every input and output is the batch, so that rows are independent."""
    sides = {tensor.shape[0] if tensor.shape else None for tensor in (*manifest.inputs, *manifest.outputs)}
    if len(sides) != 1 or None in sides:
        return False
    return isinstance(next(iter(sides)), str) or manifest.task != "tensor"


def fixed_batch(manifest: Manifest) -> int | None:
    """The one batch size of a graph that has only one; None: any."""
    side = manifest.inputs[0].shape[0] if is_batched(manifest) else None
    return side if isinstance(side, int) else None


def _blank(manifest: Manifest, rows: int) -> Iterator[NDArray[Any]]:
    """Zeros for every input. A side of unknown length other than the batch is 1, or the prepared image's."""
    for tensor in manifest.inputs:
        sides = [side if isinstance(side, int) else 1 for side in tensor.shape]
        if is_batched(manifest):
            sides[0] = rows
        if manifest.task != "tensor":
            sides[1:] = manifest.image_shape
        yield np.zeros(sides, dtype=tensor.dtype)


def _alike(one: _Ready, other: _Ready) -> bool:
    return all(a.shape[1:] == b.shape[1:] for a, b in zip(one.arrays, other.arrays, strict=True))


def _padded(array: NDArray[Any], rows: int) -> NDArray[Any]:
    blank = np.zeros((rows - len(array), *array.shape[1:]), dtype=array.dtype)
    return np.concatenate([array, blank])


def _cannot_run(error: Exception) -> Exception:
    if isinstance(error, LitError):
        return error
    return InputError("the graph cannot run this input; its sides may not fit together", code="bad_shape")
