"""`x[..., columns] = y`: the older ONNX exporter writes an invalid graph for it.

For `x[:, columns] = y`, where the dots are spelled out, it writes a right one.
"""

from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode


class SpelledIndex(TorchFunctionMode):
    """In the block, dots in an index that is written to are as many colons."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is Tensor.__setitem__:
            tensor, index, *value = args
            args = (tensor, _spelled(index, tensor.ndim), *value)
        return func(*args, **(kwargs or {}))


def _spelled(index: Any, ndim: int) -> Any:
    """The index without dots; as it is where it has none, or says of some part how many sides that takes."""
    if not isinstance(index, tuple) or not any(part is Ellipsis for part in index):
        return index
    others = [part for part in index if part is not Ellipsis]
    if any(part is None or _is_mask(part) for part in others):
        return index
    at = next(place for place, part in enumerate(index) if part is Ellipsis)
    return (*index[:at], *(slice(None),) * (ndim - len(others)), *index[at + 1 :])


def _is_mask(part: Any) -> bool:
    dtype = str(getattr(part, "dtype", ""))
    return isinstance(part, bool) or dtype.endswith(("bool", "uint8"))
