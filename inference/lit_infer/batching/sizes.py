"""What a manifest says about batches: whether rows can be joined, and how many a graph takes."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.manifest import Manifest


def static_batch(manifest: Manifest) -> int | None:
    """The first side of the first input, if it is fixed; None: any."""
    first = manifest.inputs[0].shape[0] if manifest.inputs and manifest.inputs[0].shape else None
    return first if isinstance(first, int) else None


def is_batched(manifest: Manifest) -> bool:
    """Whether the first side of every input and output is the batch, so that rows are independent."""
    sides = {tensor.shape[0] if tensor.shape else None for tensor in (*manifest.inputs, *manifest.outputs)}
    if len(sides) != 1 or None in sides:
        return False
    return isinstance(next(iter(sides)), str) or manifest.spec.takes_images


def fixed_batch(manifest: Manifest) -> int | None:
    """The fixed batch size of a graph whose rows can be joined; None: any."""
    return static_batch(manifest) if is_batched(manifest) else None


def blank(manifest: Manifest, rows: int) -> Iterator[NDArray[Any]]:
    """Zeros for every input. A side of unknown length other than the batch is 1, or the prepared image's."""
    for tensor in manifest.inputs:
        sides = [side if isinstance(side, int) else 1 for side in tensor.shape]
        if is_batched(manifest):
            sides[0] = rows
        if manifest.spec.takes_images:
            sides[1:] = manifest.image_shape
        yield np.zeros(sides, dtype=tensor.dtype)
