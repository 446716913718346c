"""Which whole numbers the module takes: a graph may answer those that it refuses.

PyTorch's embedding refuses an index of -1, and ONNX's Gather counts it from the end; some engines answer zeros for one
past the end. What the eager module refuses, found by trying, becomes the range of its input in the manifest, and the
runtime refuses it too.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from msgspec.structs import replace as changed
from torch import Tensor, nn

from lit_export.proof.samples import Sample
from lit_export.tasks import Target, answers
from lit_export.user_code import tracing_errors
from lit_infer.errors import LitError

_MOST_TRIED = 16
"""Tables whose lengths are tried as the end of a range."""


def with_ranges(target: Target, expected: Sequence[Sample]) -> Target:
    """The target, with the range of each input of whole numbers where the module refuses others."""
    smallest = min((one for one in expected if not one.files), key=lambda one: one.rows)
    inputs = tuple(
        changed(tensor, range=_range(target, smallest, number)) if np.dtype(tensor.dtype).kind in "iu" else tensor
        for number, tensor in enumerate(target.inputs)
    )
    return replace(target, inputs=inputs)


def _range(target: Target, sample: Sample, number: int) -> tuple[int | None, int | None] | None:
    """None where all is taken. Only what an index would do is tried: below zero, and one past the end of a table."""
    if not sample.inputs[number].size or _takes(target, sample, number, -1):
        return None
    lengths = sorted({part.num_embeddings for part in target.module.modules() if isinstance(part, _TABLES)})
    for length in lengths[:_MOST_TRIED]:
        with _asked_too_much(target.module) as tables:
            is_taken = _takes(target, sample, number, length)
        if not is_taken and tables:  # else it may be a length, and more than this sample's sequences have
            return 0, length - 1 if _takes(target, sample, number, length - 1) else None
    return 0, None


_TABLES = (nn.Embedding, nn.EmbeddingBag)


@contextmanager
def _asked_too_much(module: nn.Module) -> Iterator[list[nn.Module]]:
    """The tables that are asked within the block for what is past their end."""
    found: list[nn.Module] = []

    def note(table: Any, arguments: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
        indices = arguments[0] if arguments else named["input"]
        if indices.numel() and int(indices.max()) >= table.num_embeddings:
            found.append(table)

    tables = [part for part in module.modules() if isinstance(part, _TABLES)]
    hooks = [table.register_forward_pre_hook(note, with_kwargs=True) for table in tables]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _takes(target: Target, sample: Sample, number: int, value: int) -> bool:
    """Whether the module answers where the first number of this input is `value`, which its dtype may not hold."""
    array = sample.inputs[number].copy()
    limits = np.iinfo(array.dtype)
    if not limits.min <= value <= limits.max:
        return value > 0  # as far as the dtype goes, all is taken
    array.flat[0] = value
    try:
        with tracing_errors(False):
            answers(target.module, (*sample.inputs[:number], array, *sample.inputs[number + 1 :]))
    except LitError:
        return False
    return True
