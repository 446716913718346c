"""Whether the outputs vary with the inputs. Where they hardly do, a comparison shows little, and proves nothing."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_export.proof.samples import Sample
from lit_export.tasks import Target
from lit_infer.proof import TOLERANCES

_HARDLY = 4
"""An output hardly varies where each of its values stays within this many tolerances: a graph that ignores its input
would be right but for that."""


def hardly_varying(target: Target, expected: Sequence[Sample]) -> tuple[str, ...]:
    """The names of the outputs that are nearly the same for all inputs."""
    outputs = zip(*(sample.answers for sample in expected), strict=True)
    return tuple(
        tensor.name for tensor, arrays in zip(target.outputs, outputs, strict=True) if not _varies(rows_of(arrays))
    )


def rows_of(arrays: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """The answers of all samples for one output, one beneath the other; of different shapes, all their values."""
    same_shape = all(one.ndim and one.shape[1:] == arrays[0].shape[1:] for one in arrays)
    parts = arrays if same_shape else [one.ravel() for one in arrays]
    return np.concatenate(parts).astype(np.float64)


def _varies(rows: NDArray[np.float64]) -> bool:
    """Whether some value moves, from input to input, by more than a comparison would forgive."""
    if not len(rows):
        return False
    law, sizes = TOLERANCES["fp32"], np.abs(rows).max(axis=0)
    allowed = law.atol * sizes.max(initial=0) + law.rtol * sizes
    return bool((np.ptp(rows, axis=0) > _HARDLY * allowed).any())
