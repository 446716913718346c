"""A block of rows, from values to predictions: prepared, run in batches, read."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from lit_infer.batching import rows as batches
from lit_infer.batching.sizes import BATCH, is_batched, is_joined, static_batch
from lit_infer.column_values import RaggedColumn
from lit_infer.engines import Run
from lit_infer.errors import InputError, UsageError
from lit_infer.manifest import Manifest
from lit_infer.predictions import Prediction, Timings
from lit_infer.rows.arrays import ArrayFields, RowGroup
from lit_infer.rows.audio import AudioFields, mean_of_parts
from lit_infer.rows.blocks import RowBlock
from lit_infer.rows.fields import Fields, fields_of
from lit_infer.rows.places import TextPlaces
from lit_infer.tasks import Ask, Reading, TaskSpec
from lit_infer.tensors import Arrays

_WINDOW = 16
"""Batches among which rows of one shape are looked for, where shapes differ."""
_BLOCK_ROWS = 8192
_BLOCK_BYTES = 2**22


class RowRecipe(msgspec.Struct, frozen=True):
    """What a manifest says about every row and every batch, worked out once."""

    task: TaskSpec
    reading: Reading
    fields: Fields
    batch: int | None
    """The only number of rows that the graph takes; None: any."""
    is_joined: bool
    """Whether an answer depends on its batch: then a block is run as it is."""

    def window(self, size: int) -> int:
        """Rows to take at once where batches have `size`: more where shapes differ, and one where it is a batch."""
        if isinstance(self.fields, AudioFields) and self.fields.has_chunks:
            return 1
        return size * _WINDOW if self.fields.is_ragged and not self.is_joined else size

    def block(self, size: int) -> int:
        """Rows of a file to take at once: whole batches, and some MB at most."""
        if isinstance(self.fields, ArrayFields):
            most = int(_BLOCK_BYTES / (max(1.0, self.fields.row_bytes) * size))
            return max(self.window(size), size * max(1, min(most, _WINDOW)))
        if isinstance(self.fields, AudioFields):  # a row is large, and of chunks of any length
            return 1 if self.fields.has_chunks else size
        if self.fields.is_ragged:
            return self.window(size)
        return size * max(1, _BLOCK_ROWS // size)


def row_recipe(manifest: Manifest, folder: Path | None = None) -> RowRecipe:
    """`folder`: the bundle's. Raises UsageError for a model that has no rows."""
    check_rows(manifest)
    batch = None if is_joined(manifest) else static_batch(manifest)
    return RowRecipe(manifest.spec, manifest.reading, fields_of(manifest, folder), batch, is_joined(manifest))


def has_rows(manifest: Manifest) -> bool:
    """Whether the first side of every input and output is the rows."""
    sides = {tensor.shape[0] if tensor.shape else None for tensor in (*manifest.inputs, *manifest.outputs)}
    return is_batched(manifest) or (is_joined(manifest) and sides == {BATCH})


def rows_file(manifest: Manifest) -> str:
    """A name for a file of its rows, for the line that predicts with it."""
    if manifest.fields is None:
        return "batch.npz"
    return {"columns": "rows.csv", "text": "lines.txt", "audio": "recordings/"}[manifest.fields.kind]


def check_rows(manifest: Manifest) -> None:
    """Raise UsageError for a model without rows."""
    if not has_rows(manifest):
        why = "the first side of its inputs and outputs is not the batch"
        raise UsageError(f"{manifest.name} has no rows ({why}): give whole arrays to Predictor.run")


def _nowhere() -> Sequence[TextPlaces]:
    return ()


@dataclass(frozen=True, slots=True)
class PreparedRows:
    """The rows of a request as the graph takes them."""

    arrays: Arrays
    counts: tuple[int, ...] | None = None
    """How many of the arrays' rows each row became; None: each became one."""
    places: Callable[[], Sequence[TextPlaces]] = _nowhere
    """Of texts: where their tokens are in them, worked out when it is asked for."""

    def merged(self, outputs: Arrays) -> Arrays:
        """The outputs of the rows: where they became several, the mean of theirs."""
        if self.counts is None:
            return outputs
        return batches.joined([mean_of_parts(part) for part in batches.split(outputs, self.counts)])


def prepared_together(block: RowBlock, fields: Fields, *, named: bool = True) -> PreparedRows:
    """All rows of a request as the graph takes them, in their order. Raises InputError for the first bad one.

    `named`: whether the message says which one it is.
    """
    groups, errors = fields.groups(block)
    if errors:
        first = min(errors)
        raise InputError(f"item {first}: {errors[first]}" if named else str(errors[first]), code=errors[first].code)
    if all(group.is_one for group in groups):
        arrays = batches.joined([group.arrays for group in groups])
        return PreparedRows(arrays, tuple(len(group.arrays[0]) for group in groups))
    if len(groups) > 1:
        raise InputError("its rows have different shapes: send those of one shape together", code="bad_shape")
    (group,) = groups
    order = np.argsort(group.rows)  # texts are sorted by their length
    places = group.places

    def ordered() -> list[TextPlaces]:
        made = places() if places is not None else ()
        return [made[row] for row in order]

    return PreparedRows(tuple(array[order] for array in group.arrays), places=ordered if places else _nowhere)


@dataclass(frozen=True, slots=True)
class _Part:
    """The outputs of one run of the graph."""

    rows: Sequence[int]
    """Where they are in their block."""
    outputs: Arrays
    infer_ms: float
    """Of each row."""
    places: Sequence[TextPlaces] = ()
    """Of each row, for a task that `finds_in_text`."""


@dataclass(frozen=True, slots=True)
class AnsweredRows:
    """The answers of a block, column by column. A row in `errors` has anything in the arrays."""

    arrays: Mapping[str, NDArray[Any] | RaggedColumn]
    """What `TaskSpec.keep` keeps of the outputs, [rows, …]; empty where no row has an answer."""
    errors: Mapping[int, InputError]
    read_ms: float
    """Of each row, as the others."""
    prepare_ms: float
    infer_ms: NDArray[np.float64]
    vectors: NDArray[Any] | None = None
    """The first output, if it was asked for."""


def answer_rows(
    block: RowBlock, asks: Sequence[Ask], *, to: RowRecipe, run: Run, size: int | None = None
) -> list[Prediction]:
    """The predictions of a block, in its order. `size`: rows of one run; None: all that belong together."""
    parts, errors, prepare_ms = _parts(block, to=to, run=run, size=size)
    found: list[Prediction | None] = [None] * block.count
    for part in parts:
        wanted = with_places([asks[row] for row in part.rows], part.places)
        answers = to.task.read(part.outputs, wanted, to.reading)
        for index, (row, answer) in enumerate(zip(part.rows, answers, strict=True)):
            ask, read_ms = asks[row], block.read_ms / block.count
            timings = Timings(read_ms, prepare_ms, 0.0, part.infer_ms) if ask.timings else None
            output = part.outputs[0][index].copy() if ask.output else None
            found[row] = Prediction(None, answer, output=output, timings=timings)
    for row, error in errors.items():
        found[row] = Prediction(None, error=str(error), code=error.code)
    return [one for one in found if one is not None]


def answer_block(block: RowBlock, ask: Ask, *, to: RowRecipe, run: Run, size: int | None = None) -> AnsweredRows:
    """As `answer_rows`, as arrays: what a file of rows is answered with."""
    parts, errors, prepare_ms = _parts(block, to=to, run=run, size=size)
    kept = [to.task.kept(part.outputs, structs.replace(ask, places=part.places), to.reading) for part in parts]
    rows = [part.rows for part in parts]
    infer_ms = np.zeros(block.count)
    for part in parts:
        infer_ms[part.rows] = part.infer_ms
    return AnsweredRows(
        {name: scattered(rows, [one[name] for one in kept], block.count) for name in (kept[0] if kept else ())},
        errors,
        block.read_ms / block.count,
        prepare_ms,
        infer_ms,
        np.asarray(scattered(rows, [part.outputs[0] for part in parts], block.count)) if ask.output and parts else None,
    )


def scattered(rows: Sequence[Sequence[int]], arrays: Sequence[NDArray[Any]], count: int) -> NDArray[Any] | RaggedColumn:
    """Arrays of some rows each as one of all, in their order; as lists where their shapes differ."""
    first = arrays[0]
    if all(array.shape[1:] == first.shape[1:] for array in arrays):
        made = np.zeros((count, *first.shape[1:]), dtype=first.dtype)
        for own, array in zip(rows, arrays, strict=True):
            made[slice(own.start, own.stop) if isinstance(own, range) else own] = array
        return made
    lists: list[NDArray[Any]] = [np.zeros(0, dtype=first.dtype)] * count
    for own, array in zip(rows, arrays, strict=True):
        for row, values in zip(own, array, strict=True):
            lists[row] = values.ravel()
    return RaggedColumn(np.concatenate(lists), np.array([len(values) for values in lists], dtype=np.int64))


def _parts(
    block: RowBlock, *, to: RowRecipe, run: Run, size: int | None
) -> tuple[list[_Part], dict[int, InputError], float]:
    """The outputs of each run, what is wrong with the other rows in their order, and the ms that preparing one took."""
    started = time.perf_counter()
    groups, bad = to.fields.groups(block, None if to.is_joined else size)
    errors = dict(bad)
    if to.is_joined and (len(groups) > 1 or errors):
        return [], dict.fromkeys(range(block.count), _spoiled(errors)), 0.0
    prepare_ms = (time.perf_counter() - started) * 1e3 / block.count
    parts = []
    for group in groups:
        if group.is_one:
            part, failure = _of_parts(group, to=to, run=run, size=size)
            parts += part
            errors.update(failure)
            continue
        step = len(group.rows) if to.is_joined or size is None else size
        for start in range(0, len(group.rows), step):
            began = time.perf_counter()
            own = group.rows[start : start + step]
            arrays = [np.ascontiguousarray(array[start : start + step]) for array in group.arrays]
            outputs, failed = _run(run, arrays, to)
            errors.update({own[index]: error for index, error in failed.items()})
            if outputs:
                places = _places(group, to)[start : start + step]
                parts.append(_Part(own, outputs, (time.perf_counter() - began) * 1e3 / len(own), places))
    return parts, dict(sorted(errors.items())), prepare_ms


def _places(group: RowGroup, to: RowRecipe) -> Sequence[TextPlaces]:
    return group.places() if to.task.finds_in_text and group.places is not None else ()


def with_places(asks: Sequence[Ask], places: Sequence[TextPlaces]) -> list[Ask]:
    """What is asked of each row, with where its tokens are in it."""
    if not places:
        return list(asks)
    return [structs.replace(ask, places=(one,)) for ask, one in zip(asks, places, strict=True)]


def _of_parts(
    group: RowGroup, *, to: RowRecipe, run: Run, size: int | None
) -> tuple[list[_Part], dict[int, InputError]]:
    """The answer of one row, from those of its parts; the row's error, if the graph refuses one of them."""
    began, count = time.perf_counter(), len(group.arrays[0])
    step: int = count if to.is_joined or size is None else size
    made = []
    for start in range(0, count, step):
        arrays = [np.ascontiguousarray(array[start : start + step]) for array in group.arrays]
        outputs, failed = _run(run, arrays, to)
        if failed:
            return [], {group.rows[0]: next(iter(failed.values()))}
        made.append(outputs)
    outputs = mean_of_parts(batches.joined(made))
    return [_Part(group.rows, outputs, (time.perf_counter() - began) * 1e3)], {}


def _spoiled(errors: Mapping[int, InputError]) -> InputError:
    """Why no row of a batch can be answered."""
    why = "and each answer depends on the whole batch"
    if not errors:
        return InputError(f"its rows have different shapes, {why}", code="bad_shape")
    first = min(errors)
    return InputError(f"row {first} of its batch cannot be used ({errors[first]}), {why}", code=errors[first].code)


def _run(run: Run, arrays: Arrays | list[NDArray[Any]], to: RowRecipe) -> tuple[Arrays, dict[int, InputError]]:
    """The outputs of a batch, and the rows that the graph refuses, such as those with an index that it does not know.

    These are found one by one; then the batch is run again with zeros in their place, so that the arithmetic of their
    neighbours stays that of a batch of this size. Without outputs all rows have an error.
    """
    count = len(arrays[0])
    try:
        return batches.run(run, arrays, count=count, size=to.batch), {}
    except Exception as error:  # each engine has its own error classes
        refused = _refused(error)
    if to.is_joined:
        return (), dict.fromkeys(range(count), refused)
    failed: dict[int, InputError] = {}
    for row in range(count):
        try:
            batches.run(run, [array[row : row + 1] for array in arrays], count=1, size=to.batch)
        except Exception as error:
            failed[row] = _refused(error)
    blank = [array.copy() for array in arrays]
    for array in blank:
        array[list(failed)] = 0
    try:
        return batches.run(run, blank, count=count, size=to.batch), failed
    except Exception:
        return (), {row: failed.get(row, refused) for row in range(count)}


def _refused(error: Exception) -> InputError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    said = lines[0].rpartition("Status Message: ")[2]  # what onnxruntime puts before it is the node's, not the row's
    return InputError(f"the graph refuses it: {said[:300]}", code="refused")
