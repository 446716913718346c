"""The inputs of a model while it is measured: noise, the caller's own arrays, or the bundle's examples."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from lit_infer import self_test
from lit_infer.batching import rows
from lit_infer.batching.sizes import BATCH, of_size
from lit_infer.bundle import GraphFile
from lit_infer.errors import UsageError
from lit_infer.manifest import Manifest, Tensor
from lit_infer.tensors import NamedArrays

MakeInputs = Callable[[int], NamedArrays]
"""Batch size to arrays by input name."""
Sides = tuple[int | None, ...]
"""A shape; None: the batch."""
WholeRange = tuple[int | None, int | None]
"""The least and the largest of whole numbers; None: not known."""


def noise(manifest: Manifest) -> MakeInputs:
    """Random input in a manifest's shapes and ranges. Sides that it leaves open must be fixed by the preprocessing."""
    tensors = {tensor.name: (tensor.dtype, _sides(manifest, tensor)) for tensor in manifest.inputs}
    return noise_of(tensors, {tensor.name: tensor.range for tensor in manifest.inputs if tensor.range is not None})


def noise_of(tensors: Mapping[str, tuple[str, Sides]], ranges: Mapping[str, WholeRange] | None = None) -> MakeInputs:
    """Random input by name, of each dtype and shape. It is always the same.

    Images are bytes; other integers are 0 or 1, which every table has, or from the least to the largest of their range,
    and numbers lie between 0 and 1.
    """

    def make(batch_size: int) -> NamedArrays:
        generator = np.random.default_rng(0)
        return {
            name: random_array(
                generator,
                dtype,
                tuple(batch_size if side is None else side for side in sides),
                within=(ranges or {}).get(name, (None, None)),
            )
            for name, (dtype, sides) in tensors.items()
        }

    return make


_BELOW = {"uint8": 256, "uint16": 65536}


def random_array(
    generator: np.random.Generator, dtype: str, shape: tuple[int, ...], *, within: WholeRange = (None, None)
) -> NDArray[Any]:
    """Numbers of images or of tensors, as `noise` has them."""
    if np.dtype(dtype).kind == "f":
        return generator.random(shape).astype(dtype)
    least = within[0] or 0
    below = within[1] + 1 if within[1] is not None else least + _BELOW.get(dtype, 2)
    return generator.integers(least, max(below, least + 1), shape).astype(dtype)


@dataclass(frozen=True)
class Repeated:
    """Arrays that are there already, with their rows repeated to fill a batch of any size."""

    arrays: NamedArrays
    manifest: Manifest | None = None
    """Says which side of each is the batch; None: the first one."""

    def __call__(self, batch_size: int) -> NamedArrays:
        """Arrays for a batch of that size."""
        if self.manifest is not None:
            return of_size(self.manifest, self.arrays, batch_size)
        return {name: rows.repeated(array, batch_size) for name, array in self.arrays.items()}

    def of(self, manifest: Manifest) -> "Repeated":
        """The same arrays, for the inputs of this model."""
        return replace(self, manifest=manifest)


def own_inputs(path: Path) -> Repeated:
    """The arrays of an .npz file, by input name; it may hold others too."""
    arrays = _read(path)
    if not arrays or not all(array.ndim and len(array) for array in arrays.values()):
        raise UsageError(f"{path}: expected arrays by input name, each with at least one row")
    return Repeated(arrays)


def _read(path: Path) -> NamedArrays:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError, AttributeError, TypeError, BadZipFile):
        raise UsageError(f"{path} is not an .npz file of arrays, as numpy.savez makes it") from None


def golden(graph: GraphFile) -> MakeInputs | None:
    """The bundle's own example inputs, for a tensor model: noise may be what it does not take."""
    described = graph.manifest
    if described is None or described.golden is None or described.spec.takes_images:
        return None
    inputs, _ = self_test.golden(graph.path.parent, described)
    return Repeated(inputs, described)


def _sides(manifest: Manifest, tensor: Tensor) -> Sides:
    if manifest.spec.takes_images:
        return (None, *manifest.image_shape)
    if any(isinstance(side, str) and side != BATCH for side in tensor.shape):
        sides = list(tensor.shape)
        raise UsageError(
            f"input {tensor.name} has dynamic sides {sides}. Give rows, --data FILE, or arrays: --inputs batch.npz"
        )
    return tuple(side if isinstance(side, int) else None for side in tensor.shape)
