"""A block of rows, from values to predictions: prepared, run in batches, read."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lit_infer.batching import rows as batches
from lit_infer.batching.sizes import BATCH, is_batched, is_joined, static_batch
from lit_infer.engines import Run
from lit_infer.errors import InputError, UsageError
from lit_infer.manifest import Manifest
from lit_infer.predictions import Prediction, Timings
from lit_infer.rows.blocks import RowBlock
from lit_infer.rows.fields import Fields, fields_of
from lit_infer.tasks import Ask, Reading, TaskSpec
from lit_infer.tensors import Arrays

_WINDOW = 16
"""Batches among which rows of one shape are looked for, where shapes differ."""


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
        """Rows to take at once where batches have `size`: more of them where shapes differ."""
        return size * _WINDOW if self.fields.is_ragged and not self.is_joined else size


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
    return "rows.csv" if manifest.fields.text is None else "lines.txt"


def check_rows(manifest: Manifest) -> None:
    """Raise UsageError for a model without rows."""
    if not has_rows(manifest):
        why = "the first side of its inputs and outputs is not the batch"
        raise UsageError(f"{manifest.name} has no rows ({why}): give whole arrays to Predictor.run")


def answer_rows(
    block: RowBlock, asks: Sequence[Ask], *, to: RowRecipe, run: Run, size: int | None = None
) -> list[Prediction]:
    """The predictions of a block, in its order. `size`: rows of one run; None: all that belong together."""
    started = time.perf_counter()
    groups, bad = to.fields.groups(block, None if to.is_joined else size)
    errors = dict(bad)
    if to.is_joined and (len(groups) > 1 or errors):
        whole = _spoiled(errors)
        return [Prediction(None, error=str(whole), code=whole.code) for _ in range(block.count)]
    prepared_ms = (time.perf_counter() - started) * 1e3
    found: list[Prediction | None] = [None] * block.count
    for group in groups:
        step = len(group.rows) if to.is_joined or size is None else size
        for start in range(0, len(group.rows), step):
            part = range(len(group.rows))[start : start + step]
            began = time.perf_counter()
            arrays = [np.ascontiguousarray(array[start : start + step]) for array in group.arrays]
            own = [group.rows[index] for index in part]
            outputs, failed = _run(run, arrays, to)
            errors.update({own[index]: error for index, error in failed.items()})
            if not outputs:
                continue
            infer_ms = (time.perf_counter() - began) * 1e3 / len(part)
            answers = to.task.read(outputs, [asks[row] for row in own], to.reading)
            for index, (row, answer) in enumerate(zip(own, answers, strict=True)):
                ask = asks[row]
                each = (block.read_ms / block.count, prepared_ms / block.count)
                timings = Timings(each[0], each[1], 0.0, infer_ms) if ask.timings else None
                output = outputs[0][index].copy() if ask.output else None
                found[row] = Prediction(None, answer, output=output, timings=timings)
    for row, error in sorted(errors.items()):
        found[row] = Prediction(None, error=str(error), code=error.code)
    return [one for one in found if one is not None]


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
