"""The inputs of a model while it is measured: noise, the caller's own arrays, or the bundle's examples."""

from collections.abc import Callable, Mapping
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from lit_infer.bundle import GraphFile
from lit_infer.errors import UsageError
from lit_infer.manifest import Manifest, Tensor
from lit_infer.tensors import NamedArrays

MakeInputs = Callable[[int], NamedArrays]
"""Batch size to arrays by input name."""


def noise(manifest: Manifest) -> MakeInputs:
    """Random input in a manifest's shapes. Sides that it leaves open must be fixed by the preprocessing."""
    return noise_of({tensor.name: (tensor.dtype, _shape(manifest, tensor)) for tensor in manifest.inputs})


def noise_of(tensors: Mapping[str, tuple[str, tuple[int, ...]]]) -> MakeInputs:
    """Random input by name, of each dtype and shape (without the batch). It is always the same."""

    def make(batch_size: int) -> NamedArrays:
        generator = np.random.default_rng(0)
        return {
            name: generator.integers(0, 256, (batch_size, *shape)).astype(dtype)
            for name, (dtype, shape) in tensors.items()
        }

    return make


def repeated(arrays: NamedArrays) -> MakeInputs:
    """A caller's own arrays, with their rows repeated to fill a batch of any size."""
    return lambda batch_size: {
        name: np.ascontiguousarray(array[np.arange(batch_size) % len(array)]) for name, array in arrays.items()
    }


def own_inputs(path: Path) -> MakeInputs:
    """The arrays of an .npz file, by input name; it may hold others too."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError, AttributeError, TypeError, BadZipFile):
        raise UsageError(f"{path} is not an .npz file of arrays, as numpy.savez makes it") from None
    if not arrays or not all(array.ndim and len(array) for array in arrays.values()):
        raise UsageError(f"{path}: expected arrays by input name, each with at least one row")
    return repeated(arrays)


def golden(graph: GraphFile) -> MakeInputs | None:
    """The bundle's own example inputs, for a tensor model whose manifest leaves sides open."""
    described = graph.manifest
    if described is None or described.golden is None or described.spec.takes_images:
        return None
    is_open = any(isinstance(side, str) for tensor in described.inputs for side in tensor.shape[1:])
    return own_inputs(graph.path.parent / described.golden) if is_open else None


def _shape(manifest: Manifest, tensor: Tensor) -> tuple[int, ...]:
    fixed = tuple(side for side in tensor.shape[1:] if isinstance(side, int))
    if len(fixed) == len(tensor.shape) - 1:
        return fixed
    if not manifest.spec.takes_images:
        sides = list(tensor.shape)
        raise UsageError(f"input {tensor.name} has dynamic sides {sides}. Give arrays for it: --inputs batch.npz")
    return manifest.image_shape
