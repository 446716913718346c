"""What a manifest says about batches: whether rows can be joined, and how many a graph takes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.batching import rows
from lit_infer.errors import UsageError
from lit_infer.manifest import Manifest, Tensor
from lit_infer.tensors import NamedArrays

BATCH = "batch"
"""The name of the side that is the batch, where it is not fixed."""


def static_batch(manifest: Manifest) -> int | None:
    """The first side of the first input, if it is fixed; None: any, or the batch is elsewhere."""
    if any(BATCH in tensor.shape for tensor in manifest.inputs):
        return None
    first = manifest.inputs[0].shape[0] if manifest.inputs and manifest.inputs[0].shape else None
    return first if isinstance(first, int) else None


def is_joined(manifest: Manifest) -> bool:
    """Whether a row's answer depends on the other rows of its batch."""
    return manifest.rows == "joined"


def is_batched(manifest: Manifest) -> bool:
    """Whether rows may be joined, padded and split: independent ones, in the first side of every input and output."""
    sides = {tensor.shape[0] if tensor.shape else None for tensor in (*manifest.inputs, *manifest.outputs)}
    if is_joined(manifest) or len(sides) != 1 or None in sides:
        return False
    return sides == {BATCH} or manifest.spec.takes_images or manifest.spec.has_fields


def fixed_batch(manifest: Manifest) -> int | None:
    """The fixed batch size of a graph whose rows can be joined; None: any."""
    return static_batch(manifest) if is_batched(manifest) else None


def batch_axis(tensor: Tensor) -> int | None:
    """Which side of a tensor is the batch; None: it has none, or it is fixed."""
    return tensor.shape.index(BATCH) if BATCH in tensor.shape else None


def images_per_run(manifest: Manifest, wanted: int) -> int:
    """How many images one run gets: as wanted, unless the graph takes one number only, or the rows are joined."""
    return static_batch(manifest) or (1 if is_joined(manifest) else wanted)


def check_images(manifest: Manifest, count: int) -> None:
    """Raise UsageError if images that come one by one cannot be run so many at a time."""
    if not is_joined(manifest):
        return
    fixed = static_batch(manifest)
    why = f"{manifest.name}: the answer for an image depends on the others of its batch (rows: joined)"
    if fixed not in (None, 1):
        raise UsageError(f"{why}, and the graph takes {fixed} at once. Give whole batches to Predictor.run")
    if count > 1:
        raise UsageError(f"{why}, so images are run one by one: leave the batch size out, or call Predictor.run")


def of_size(manifest: Manifest, inputs: NamedArrays, count: int) -> dict[str, NDArray[Any]]:
    """Those of these arrays that are inputs, with their rows repeated, or cut, to so many where there is a batch.

    Others keep the manifest's sides.
    """
    found = {}
    for tensor in manifest.inputs:
        if (array := inputs.get(tensor.name)) is None:
            continue
        axis, first = batch_axis(tensor), next(iter(tensor.shape), None)
        if axis is not None:
            found[tensor.name] = rows.repeated(array, count, axis=axis)
        else:
            found[tensor.name] = rows.repeated(array, first) if isinstance(first, int) and array.ndim else array
    return found


def blank(manifest: Manifest, count: int) -> dict[str, NDArray[Any]]:
    """Zeros for every input. A side of unknown length other than the batch is 1, or the prepared image's."""
    found = {}
    for tensor in manifest.inputs:
        sides = [side if isinstance(side, int) else 1 for side in tensor.shape]
        if manifest.spec.takes_images:
            sides[1:] = manifest.image_shape
        if (axis := batch_axis(tensor)) is not None:
            sides[axis] = count
        found[tensor.name] = np.zeros(sides, dtype=tensor.dtype)
    return found
