"""Which whole numbers the module takes: a graph may answer those that it refuses.

PyTorch's embedding refuses an index of -1, and ONNX's Gather counts it from the end; some engines answer zeros for one
past the end. What the eager module refuses, found by trying, becomes the range of its input in the manifest, and the
runtime refuses it too.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from msgspec.structs import replace as changed
from torch import Tensor, nn

from lit_export.proof.samples import Sample
from lit_export.tasks import Target, answers
from lit_export.user_code import tracing_errors
from lit_infer.errors import LitError


def with_ranges(target: Target, expected: Sequence[Sample]) -> Target:
    """The target, with the range of each input of whole numbers where the module refuses others."""
    smallest = min((one for one in expected if not one.files), key=lambda one: one.rows)
    inputs = tuple(
        changed(tensor, range=_range(target, smallest, number)) if np.dtype(tensor.dtype).kind in "iu" else tensor
        for number, tensor in enumerate(target.inputs)
    )
    return replace(target, inputs=inputs)


def _range(target: Target, sample: Sample, number: int) -> tuple[int | None, int | None] | None:
    """None where all is taken: below zero is tried, and past the end of the longest table that a number indexes.

    A range is of the whole input: where its numbers index tables of several lengths, as the columns of a table do, it
    ends with the longest; where some index none, it has no end.
    """
    size = sample.inputs[number].size
    if not size:
        return None
    lengths = _indexed(target, sample, number)
    others = [place for place in range(size) if place not in lengths]
    if any(_takes(target, sample, number, -1, place) for place in {0, *others[:1], *others[-1:]}):
        return None
    if others:
        return 0, None
    place = max(lengths, key=lambda one: lengths[one])
    takes_end = [_takes(target, sample, number, lengths[place] - more, place) for more in (1, 0)]
    return 0, lengths[place] - 1 if takes_end == [True, False] else None


_TABLES = (nn.Embedding, nn.EmbeddingBag)
_STEPS = {"int64": 2**20, "int32": 2**14}
"""By dtype, how far apart the numbers are that tell the places of an input apart, whatever is added to them."""


def _indexed(target: Target, sample: Sample, number: int) -> dict[int, int]:
    """The places of an input whose numbers index a table, each with the length of the shortest.

    One run shows it, in which each place has a number of its own that no table is as long as, and each table looks up
    its last entry instead.
    """
    array, found = sample.inputs[number], dict[int, int]()
    step = _STEPS.get(array.dtype.name, 0)
    least = step * step if array.dtype.itemsize > 4 else step * step // 2
    if not step or least + array.size * step > np.iinfo(array.dtype).max:
        return {}

    def note(table: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        indices: Tensor = arguments[0] if arguments else named["input"]
        for value in set(indices[indices >= least // 2].tolist()):
            place = (value - least + step // 2) // step
            found[place] = min(found.get(place, table.num_embeddings), table.num_embeddings)
        within = indices.clamp(max=table.num_embeddings - 1)
        return ((within, *arguments[1:]), named) if arguments else ((), {**named, "input": within})

    marked = (least + step * np.arange(array.size, dtype=array.dtype)).reshape(array.shape)
    tables = [part for part in target.module.modules() if isinstance(part, _TABLES)]
    hooks = [table.register_forward_pre_hook(note, with_kwargs=True) for table in tables]
    try:
        with tracing_errors(False):
            answers(target.module, (*sample.inputs[:number], marked, *sample.inputs[number + 1 :]))
    except LitError:  # it is no index, but a length, say
        return {}
    finally:
        for hook in hooks:
            hook.remove()
    return {place: length for place, length in found.items() if 0 <= place < array.size}


def _takes(target: Target, sample: Sample, number: int, value: int, place: int) -> bool:
    """Whether the module answers where one number of this input is `value`, which its dtype may not hold."""
    array = sample.inputs[number].copy()
    limits = np.iinfo(array.dtype)
    if not limits.min <= value <= limits.max:
        return value > 0  # as far as the dtype goes, all is taken
    array.flat[place] = value
    try:
        with tracing_errors(False):
            answers(target.module, (*sample.inputs[:number], array, *sample.inputs[number + 1 :]))
    except LitError:
        return False
    return True
