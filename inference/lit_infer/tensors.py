"""Bare arrays, checked against the inputs of the manifest."""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from lit_infer.errors import UsageError
from lit_infer.manifest import Manifest, Tensor
from lit_infer.proof import fits

Arrays = tuple[NDArray[Any], ...]
"""The tensors of a graph, in the manifest's order."""

NamedArrays = Mapping[str, NDArray[Any]]
"""The tensors of a graph, by name."""


def in_order(inputs: NamedArrays, manifest: Manifest) -> list[NDArray[Any]]:
    """The arrays in the graph's order. Raises UsageError for a wrong name, dtype or shape."""
    tensors = manifest.inputs
    if len(inputs) != len(tensors) or not all(tensor.name in inputs for tensor in tensors):
        expected = ", ".join(sorted(tensor.name for tensor in tensors))
        raise UsageError(f"the graph takes {expected}, not {', '.join(sorted(inputs))}")
    arrays = [inputs[tensor.name] for tensor in tensors]
    sides: dict[str, int] = {}
    for tensor, array in zip(tensors, arrays, strict=True):
        if array.dtype != tensor.dtype or not fits(array.shape, tensor.shape, sides):
            raise UsageError(
                f"input {tensor.name} is {tensor.dtype} {list(tensor.shape)}, not {array.dtype} {list(array.shape)}"
            )
    return arrays


def check_range(tensors: Sequence[Tensor], arrays: Sequence[NDArray[Any]]) -> None:
    """Raise UsageError for a whole number that the module refuses, which a graph may answer all the same."""
    for tensor, array in zip(tensors, arrays, strict=True):
        if tensor.range is None or not array.size:
            continue
        least, most = tensor.range
        for limit, found, is_bad in ((least, array.min(), int.__lt__), (most, array.max(), int.__gt__)):
            if limit is not None and is_bad(int(found), limit):
                raise UsageError(f"{tensor.name} holds {found}, and the model takes {in_words(tensor.range)}")


def in_words(limits: tuple[int | None, int | None]) -> str:
    """`0 to 299`, `0 and more`."""
    least, most = limits
    if least is not None and most is not None:
        return f"{least} to {most}"
    return f"{least} and more" if most is None else f"{most} and less"
