"""Whether rows stand by themselves: each must be answered alone, in any order and beside any others as in its batch.

Where they do not, the manifest says `rows: joined`, and no runtime joins requests, pads a batch or splits one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from lit_export.proof.samples import Sample
from lit_export.tasks import Target, answers, in_precision
from lit_infer import progress, proof
from lit_infer.batching.sizes import BATCH
from lit_infer.errors import ArtifactError, GateError
from lit_infer.manifest import Tensor
from lit_infer.proof import TOLERANCES
from lit_infer.tensors import Arrays

_ALONE = 3
"""Rows that are run alone: each costs a run of the module."""
_ROUNDING = 4 * float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class _Trial:
    """Rows of a sample, as a batch of their own."""

    how: str
    rows: list[int]


def rows(target: Target, expected: Sequence[Sample]) -> Literal["independent", "joined"]:
    """Try it on the eager module, with the largest of the samples; says so where rows depend on each other."""
    axes = [_axis(tensor, target) for tensor in target.inputs]
    sample = max((one for one in expected if not one.files), key=lambda one: _length(one.inputs, axes))
    if _length(sample.inputs, axes) < 2:
        return "independent"
    why = _dependence(target.module, target, sample, axes)
    if why is None:
        return "independent"
    progress.note(
        f"warning: {why}: the manifest says `rows: joined`, and no server, batcher or folder run joins requests, "
        "pads a batch or splits one"
    )
    return "joined"


def _dependence(module: nn.Module, target: Target, sample: Sample, axes: Sequence[int | None]) -> str | None:
    """What shows that rows depend on each other, also in float64: in float32 alone it may be rounding."""
    found = _first_difference(module, target, sample.inputs, sample.answers, axes)
    if found is None:
        return None
    try:
        exact = in_precision(module, "fp64")
        return _first_difference(exact, target, sample.inputs, answers(exact, sample.inputs), axes)
    except Exception:  # a module that insists on float32 may raise anything
        return found


def _first_difference(
    module: nn.Module, target: Target, inputs: Arrays, truth: Arrays, axes: Sequence[int | None]
) -> str | None:
    outputs = [_axis(tensor, target) for tensor in target.outputs]
    for trial in _trials(_length(inputs, axes), is_fixed=target.batch is not None):
        try:
            found = answers(module, _taken(inputs, axes, trial.rows))
        except GateError:  # NaN, from the statistics of a single row, say
            return f"a row {trial.how} is answered with NaN"
        except ArtifactError:
            if len(trial.rows) == 1:  # a module may refuse a batch of one, which shows nothing about the others
                continue
            return f"the module refuses the rows of a batch {trial.how}"
        before = _taken(truth, outputs, trial.rows)
        for tensor, one, other in zip(target.outputs, target.spec.in_order_of(found, before), before, strict=True):
            if not _same(one, other, scale=truth[target.outputs.index(tensor)]):
                return f"a row {trial.how} has another answer ({tensor.name}) than in its batch"
    return None


def _trials(count: int, *, is_fixed: bool) -> Iterator[_Trial]:
    """What is tried with a batch of so many rows; a graph of one batch size has no other."""
    everything, half = list(range(count)), count // 2
    for row in sorted({round(index) for index in np.linspace(0, count - 1, _ALONE)}):
        yield _Trial("beside copies of itself", [row] * count) if is_fixed else _Trial("alone", [row])
    yield _Trial("in another order", everything[::-1])
    yield _Trial("beside other rows", everything[:half] + [0] * (count - half))
    yield _Trial("beside other rows", [count - 1] * half + everything[half:])


def _axis(tensor: Tensor, target: Target) -> int | None:
    """Which side of a tensor is the batch; None: it has none."""
    if BATCH in tensor.shape:
        return tensor.shape.index(BATCH)
    return 0 if target.batch is not None and tensor.shape[:1] == (target.batch,) else None


def _length(arrays: Arrays, axes: Sequence[int | None]) -> int:
    return max((array.shape[axis] for array, axis in zip(arrays, axes, strict=True) if axis is not None), default=0)


def _taken(arrays: Arrays, axes: Sequence[int | None], rows: Sequence[int]) -> Arrays:
    pairs = zip(arrays, axes, strict=True)
    return tuple(array if axis is None else np.take(array, rows, axis) for array, axis in pairs)


def _same(found: NDArray[np.generic], truth: NDArray[np.generic], *, scale: NDArray[np.generic]) -> bool:
    """Within what a graph may differ from the eager module; rounding differs with the size of the batch."""
    if found.shape != truth.shape:
        return False
    law, whole = TOLERANCES["fp32"], scale.astype(np.float64)
    largest = float(np.abs(whole).max(initial=0))
    spread = float(np.ptp(whole, axis=0).max(initial=0)) if whole.ndim and len(whole) else 0.0
    measured = proof.difference(found, truth, atol=law.atol, largest=largest)
    most = np.minimum(
        measured.floor + law.rtol * np.abs(measured.truth), max(law.of_spread * spread, _ROUNDING * largest)
    )
    return bool((measured.values <= most).all())
