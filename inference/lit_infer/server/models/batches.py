"""One batch on one open graph: prepare its images, run compatible items together, split the outputs again.

An item is one image, or some rows of prepared arrays. A run that fails is repeated item by item, so that a bad item
fails alone; if the graph fails even on its warm-up input, the engine is dead.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from numpy.typing import NDArray

from lit_infer.answering import PreparedImage
from lit_infer.batching import rows as rows_of
from lit_infer.batching.sizes import blank, fixed_batch, is_batched, of_size
from lit_infer.engines import Run
from lit_infer.errors import EngineError, InputError, LitError
from lit_infer.manifest import Manifest
from lit_infer.server.errors import short_of_memory
from lit_infer.tensors import Arrays, NamedArrays

_SOURCE = re.compile(r"\S*/\S+:\d+ ?")
"""A line of an engine's source."""


_FALSE = " was false. "
"""How onnxruntime's checks go on after the condition, if there is more to say."""


class Interest(msgspec.Struct):
    """Whether anybody still waits for a request."""

    is_gone: bool = False


class Phase(msgspec.Struct, frozen=True):
    """What a thread is doing since when, by time.monotonic."""

    item: int | None
    """The index of the item that is being prepared; None: the graph runs."""
    since: float


@dataclass(frozen=True, slots=True)
class Work:
    """One item: an encoded image, several that are `packed`, or arrays for all inputs in the manifest's order."""

    image: bytes | None
    arrays: Arrays
    rows: int
    arrived: float
    """When it was submitted, by time.perf_counter."""
    interest: Interest = field(default_factory=Interest)


@dataclass(slots=True)
class Answer:
    """The outputs of one item, in the manifest's order, and the seconds that it took."""

    outputs: Arrays
    rows: int
    compute_input: float
    compute_infer: float
    queue: float = 0.0
    """Filled in by the runner."""
    size: tuple[int, int] | None = None
    """(width, height) of the image that it is about, before its preprocessing."""


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of the graph, and the seconds that preparation and the run took."""

    rows: int
    compute_input: float
    compute_infer: float


@dataclass(slots=True)
class Answered:
    """The outcome of a batch, item by item, and of the engine."""

    answers: list[Answer | Exception]
    executions: list[Execution] = field(default_factory=list)
    death: Exception | None = None
    """The error with which the engine failed on its warm-up input."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """An item as the graph takes it, with its index in the batch and the seconds its preparation took."""

    index: int
    arrays: Arrays
    rows: int
    took: float
    size: tuple[int, int] | None = None


class Batches:
    """Answers batches with one graph. As many threads may call it at once as may call `run`."""

    def __init__(
        self,
        manifest: Manifest,
        run: Run,
        prepare: Callable[[bytes], PreparedImage],
        *,
        max_batch: int,
        golden: NamedArrays | None = None,
    ) -> None:
        """`prepare` turns an encoded image into the graph's pixels, or raises InputError.

        `golden`: inputs that the graph is known to take, to warm it up with; None: zeros.
        """
        self.manifest = manifest
        self.is_batched = is_batched(manifest)
        self.fixed_batch = fixed_batch(manifest)
        self.largest = self.fixed_batch or max_batch
        """The most rows of one run."""
        self._run = run
        self._golden = golden
        self._prepare = prepare
        self._phases: dict[int, Phase] = {}

    def answer(self, works: Sequence[Work]) -> Answered:
        """Answer all items, in order. Errors of items or of the engine are returned, never raised."""
        batch = Answered([EngineError("not answered")] * len(works))
        ready = []
        thread = threading.get_ident()
        try:
            for index, work in enumerate(works):
                self._phases[thread] = Phase(index, time.monotonic())
                one = self._ready(index, work)
                if isinstance(one, LitError):
                    batch.answers[index] = one
                else:
                    ready.append(one)
            for group in self._groups(ready):
                self._phases[thread] = Phase(None, time.monotonic())
                self._answer_group(group, batch)
        finally:
            del self._phases[thread]
        return batch

    def phase(self, thread: int) -> Phase | None:
        """What a thread that called `answer` is doing; None if it has returned."""
        return self._phases.get(thread)

    def warm_up(self) -> None:
        """Run once every batch size that engines prepare for separately. Raises what the engine raises."""
        for rows in self._buckets():
            self._run(self._known(rows))

    def _known(self, rows: int) -> list[NDArray[Any]]:
        """What the graph answers, if it answers anything."""
        described = self.manifest
        found = blank(described, rows) if self._golden is None else of_size(described, self._golden, rows)
        return [found[tensor.name] for tensor in described.inputs]

    def _buckets(self) -> Iterator[int]:
        if not self.is_batched or self.fixed_batch:
            yield self.fixed_batch or 1
            return
        rows = 1
        while rows < self.largest:
            yield rows
            rows *= 2
        yield self.largest

    def _ready(self, index: int, work: Work) -> _Ready | LitError:
        if work.interest.is_gone:
            return InputError("nobody waits for the answer any more", code="unwanted")
        if work.image is None:
            return _Ready(index, work.arrays, work.rows, 0.0)
        started = time.perf_counter()
        try:
            prepared = self._prepare(work.image)
        except InputError as error:
            return short_of_memory() if _lacks_memory(error) else error
        arrays = tuple(pixels[None] for pixels in (prepared.pixels, *prepared.more))
        return _Ready(index, arrays, 1, time.perf_counter() - started, prepared.size)

    def _groups(self, ready: Sequence[_Ready]) -> Iterator[list[_Ready]]:
        """Items that run together: no more rows than fit into a batch, and the same shape otherwise."""
        group: list[_Ready] = []
        for one in ready:
            rows = sum(other.rows for other in group)
            if group and (not self.is_batched or rows + one.rows > self.largest or not _alike(group[0], one)):
                yield group
                group = []
            group.append(one)
        if group:
            yield group

    def _answer_group(self, group: list[_Ready], batch: Answered) -> None:
        joining = time.perf_counter()
        try:
            outputs, infer = self._run_joined(group)
        except Exception as error:  # an engine may raise anything
            self._answer_alone(group, batch, error)
            return
        prepared = sum(one.took for one in group) + time.perf_counter() - joining - infer
        rows = sum(one.rows for one in group)
        batch.executions.append(Execution(rows, prepared, infer))
        parts = rows_of.split(outputs, [one.rows for one in group]) if self.is_batched else [outputs]
        for one, own in zip(group, parts, strict=True):
            share = one.rows / rows
            batch.answers[one.index] = Answer(own, one.rows, prepared * share, infer * share, size=one.size)

    def _run_joined(self, group: Sequence[_Ready]) -> tuple[Arrays, float]:
        """The outputs for all rows of a group, and the seconds that the graph took."""
        arrays = rows_of.joined([one.arrays for one in group])
        started = time.perf_counter()
        if self.is_batched:
            count = sum(one.rows for one in group)
            outputs = rows_of.run(self._run, arrays, count=count, size=self.fixed_batch)
        else:
            outputs = tuple(self._run(list(arrays)))
        return outputs, time.perf_counter() - started

    def _answer_alone(self, group: list[_Ready], batch: Answered, error: Exception) -> None:
        """After a failure, find out whether the engine is dead or one of the items cannot be run."""
        try:
            self._run(self._known(self.fixed_batch or 1))
        except Exception as dead:
            batch.death = dead
            for one in group:
                batch.answers[one.index] = engine_failed(self.manifest)
            return
        if len(group) == 1:
            batch.answers[group[0].index] = _cannot_run(error)
            return
        for one in group:
            self._answer_group([one], batch)


def engine_failed(manifest: Manifest) -> EngineError:
    """The error of requests whose engine has died."""
    return EngineError(f"{manifest.name}: the engine failed and is being restarted")


def _alike(one: _Ready, other: _Ready) -> bool:
    return all(a.shape[1:] == b.shape[1:] for a, b in zip(one.arrays, other.arrays, strict=True))


def _lacks_memory(error: BaseException) -> bool:
    """Whether memory was short: engines have words of their own for it."""
    if isinstance(error, MemoryError) or isinstance(error.__context__, MemoryError):
        return True
    return any(words in str(error) for words in ("bad_alloc", "Failed to allocate", "out of memory"))


def _cannot_run(error: Exception) -> Exception:
    if _lacks_memory(error):
        return short_of_memory()
    if isinstance(error, LitError):
        return error
    return InputError(f"the graph cannot run this input: {_reason(error)}", code="bad_shape")


def _reason(error: Exception) -> str:
    """What the engine says of an input, in one line, without paths of the machine it was built on."""
    text = " ".join(str(error).rpartition("Status Message: ")[2].split())
    found = _SOURCE.sub("", text).rpartition(_FALSE)[2]  # before it: a function of the engine and its condition
    return found[:300] or "its dimensions may not match"
