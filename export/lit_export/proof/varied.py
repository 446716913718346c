"""What was never varied is not proven: inputs that had one value in all that is compared, outputs always empty."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from msgspec.structs import replace as changed
from numpy.typing import NDArray

from lit_export.tasks import Target
from lit_infer import manifest
from lit_infer.batching.sizes import BATCH
from lit_infer.errors import UsageError
from lit_infer.tensors import Arrays

_REAL = "give real inputs (--data-module PKG.MOD:DATA, or --inputs FILE.npz)"


def check_inputs(target: Target, inputs: Sequence[Arrays]) -> None:
    """Raise UsageError, with the cure, for inputs that a comparison of these batches would not vary."""
    found = []
    for tensor, arrays in zip(target.inputs, zip(*inputs, strict=True), strict=True):
        value = _only_value(arrays)
        if value is not None and tensor.name not in target.constant:
            found.append((tensor, arrays[0].shape, value))
    if found:
        raise UsageError(_never_varied(found))


def _never_varied(found: Sequence[tuple[manifest.Tensor, Sequence[int], Any]]) -> str:
    """All of them, with a range for each; and what to write of one that is always so in production too."""
    values = ", ".join(f"{tensor.name} would be {value}" for tensor, _, value in found)
    ranges = " ".join(f"--input {_range(*one)}" for one in found)
    ends = ", where N is its largest value" if "..N" in ranges else ""
    tensor, shape, value = found[0]
    plural, always = len(found) > 1, int(value) if isinstance(value, bool) else value
    return (
        f"the input{'s' if plural else ''} {values} in all that is compared, so that nothing is proven of other "
        f"values: {_REAL}, or a range, {ranges}{ends}.\nIf {'one' if plural else 'it'} always has that value, say so: "
        f"--input {_named(tensor, shape)}:{always}..{always}"
    )


def check_outputs(target: Target, answers: Sequence[Arrays], *, unexercised: str = "") -> None:
    """The same for an output that was always empty; `unexercised` says which lines of the module did not run."""
    for tensor, arrays in zip(target.outputs, zip(*answers, strict=True), strict=True):
        if not any(array.size for array in arrays):
            raise UsageError(
                f"the output {tensor.name} was empty for every input, so that nothing of it would be proven: {_REAL} "
                f"for which it is not{unexercised}"
            )


def with_sides_seen(target: Target, answers: Sequence[Arrays]) -> Target:
    """The target, with a name for each side of an output that had another length in one of these answers.

    A few inputs are looked at when a target is made: what was found in all of them may have been as much by chance.
    """
    outputs = []
    for tensor, arrays in zip(target.outputs, zip(*answers, strict=True), strict=True):
        named = [
            isinstance(side, int) and any(array.shape[axis] != side for array in arrays)
            for axis, side in enumerate(tensor.shape)
        ]
        sides = zip(tensor.shape, named, strict=True)
        shape = tuple(f"{tensor.name}_{axis}" if new else side for axis, (side, new) in enumerate(sides))
        outputs.append(changed(tensor, shape=shape))
    return replace(target, outputs=tuple(outputs))


def _only_value(arrays: Sequence[NDArray[Any]]) -> Any:
    """The value of all elements of all arrays; None where there are several, or no elements."""
    full = [array for array in arrays if array.size]
    if not full or any((array != full[0].flat[0]).any() for array in full):
        return None
    return full[0].flat[0].item()


def _range(tensor: manifest.Tensor, sizes: Sequence[int], value: Any) -> str:
    """An `--input` that would vary it; the other end is the user's to know."""
    is_flag = tensor.dtype == "bool" or value == 1  # masks are floats as well
    return f"{_named(tensor, sizes)}:{'0..1' if is_flag else '0..N'}"


def _named(tensor: manifest.Tensor, sizes: Sequence[int]) -> str:
    shape = "x".join(str(size) for side, size in zip(tensor.shape, sizes, strict=True) if side != BATCH)
    return f"{tensor.name}={shape}:{tensor.dtype}"
