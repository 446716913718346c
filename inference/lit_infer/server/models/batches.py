"""One batch against one open graph: prepare its images, run together what fits together, cut the outputs apart.

An item is one image, or some rows of prepared arrays. A run that fails is repeated item by item, so that one bad item
fails alone; a graph that cannot even run its warm-up input any more is dead.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from lit_infer.batching import rows as batch
from lit_infer.batching.sizes import blank, fixed_batch, is_batched
from lit_infer.engines import Run
from lit_infer.errors import EngineError, InputError, LitError
from lit_infer.images import Pixels
from lit_infer.manifest import Manifest

Arrays = tuple[NDArray[Any], ...]


@dataclass(frozen=True, slots=True)
class Work:
    """One item: an encoded image, or arrays for all inputs in the manifest's order."""

    image: bytes | None
    arrays: Arrays
    rows: int
    arrived: float
    """When it was submitted, by time.perf_counter."""


@dataclass(slots=True)
class Answer:
    """The outputs of one item, in the manifest's order, and the seconds that it took."""

    outputs: Arrays
    rows: int
    compute_input: float
    compute_infer: float
    queue: float = 0.0
    """Known to the runner, who fills it in."""


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of the graph, and the seconds that preparing and running it took."""

    rows: int
    compute_input: float
    compute_infer: float


@dataclass(slots=True)
class Answered:
    """What became of a batch, item by item; and of the engine."""

    answers: list[Answer | Exception]
    executions: list[Execution] = field(default_factory=list)
    death: Exception | None = None
    """What the engine failed with at its warm-up input."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """An item as the graph takes it, with its place in the batch and the seconds its preparation took."""

    place: int
    arrays: Arrays
    rows: int
    took: float


class Batches:
    """Answers batches by one graph. As many threads may call it at once as may call `run`."""

    def __init__(self, manifest: Manifest, run: Run, prepare: Callable[[bytes], Pixels], *, max_batch: int) -> None:
        """`prepare` makes an encoded image into the graph's pixels, or raises InputError."""
        self.manifest = manifest
        self.is_batched = is_batched(manifest)
        self.fixed_batch = fixed_batch(manifest)
        self.largest = self.fixed_batch or max_batch
        """Rows of one run."""
        self._run = run
        self._prepare = prepare

    def answer(self, works: Sequence[Work]) -> Answered:
        """Answer all items, each in its place. Never raises for what is wrong with items or engine."""
        told = Answered([EngineError("not answered")] * len(works))
        ready = []
        for place, work in enumerate(works):
            one = self._ready(place, work)
            if isinstance(one, InputError):
                told.answers[place] = one
            else:
                ready.append(one)
        for group in self._groups(ready):
            self._answer_group(group, told)
        return told

    def warm_up(self) -> None:
        """Run every size of batch once that engines keep apart. Raises what the engine raises."""
        for rows in self._buckets():
            self._run(list(blank(self.manifest, rows)))

    def _buckets(self) -> Iterator[int]:
        if not self.is_batched or self.fixed_batch:
            yield self.fixed_batch or 1
            return
        rows = 1
        while rows < self.largest:
            yield rows
            rows *= 2
        yield self.largest

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

    def _answer_group(self, group: list[_Ready], told: Answered) -> None:
        joining = time.perf_counter()
        try:
            outputs, infer = self._run_joined(group)
        except Exception as error:  # an engine may raise anything
            self._answer_alone(group, told, error)
            return
        prepared = sum(one.took for one in group) + time.perf_counter() - joining - infer
        rows = sum(one.rows for one in group)
        told.executions.append(Execution(rows, prepared, infer))
        parts = batch.split(outputs, [one.rows for one in group]) if self.is_batched else [outputs]
        for one, own in zip(group, parts, strict=True):
            share = one.rows / rows
            told.answers[one.place] = Answer(own, one.rows, prepared * share, infer * share)

    def _run_joined(self, group: Sequence[_Ready]) -> tuple[Arrays, float]:
        """The outputs for all rows of a group, and the seconds the graph took."""
        arrays = batch.joined([one.arrays for one in group])
        started = time.perf_counter()
        if self.is_batched:
            count = sum(one.rows for one in group)
            outputs = batch.run(self._run, arrays, count=count, size=self.fixed_batch)
        else:
            outputs = tuple(self._run(list(arrays)))
        return outputs, time.perf_counter() - started

    def _answer_alone(self, group: list[_Ready], told: Answered, error: Exception) -> None:
        """After a failure: is the engine dead, or is one of the items more than it can run?"""
        try:
            self._run(list(blank(self.manifest, self.fixed_batch or 1)))
        except Exception as dead:
            told.death = dead
            for one in group:
                told.answers[one.place] = opened_again(self.manifest)
            return
        if len(group) == 1:
            told.answers[group[0].place] = _cannot_run(error)
            return
        for one in group:
            self._answer_group([one], told)


def opened_again(manifest: Manifest) -> EngineError:
    """What those are told whose engine has died."""
    return EngineError(f"{manifest.name}: the engine failed and is opened again")


def _alike(one: _Ready, other: _Ready) -> bool:
    return all(a.shape[1:] == b.shape[1:] for a, b in zip(one.arrays, other.arrays, strict=True))


def _cannot_run(error: Exception) -> Exception:
    if isinstance(error, LitError):
        return error
    return InputError("the graph cannot run this input; its sides may not fit together", code="bad_shape")
