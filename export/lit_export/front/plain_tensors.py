"""The calls by which torch.save writes tensors, done on outlines: a tensor must lie within its storage."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from lit_export.front.plain_values import (
    Foreign,
    Instance,
    Named,
    NotPlainError,
    Storage,
    TensorOutline,
    TorchValue,
    is_count,
)

_SIDES = 64
"""torch's own limit of a tensor's sides."""


def size(items: Any) -> tuple[int, ...]:
    """A shape or the strides of a tensor."""
    found = items.value if isinstance(items, TorchValue) and items.kind == "size" else items
    if not (isinstance(found, list | tuple) and len(found) <= _SIDES and all(map(is_count, found))):
        raise TypeError
    return tuple(found)


def strided(storage: Any, offset: Any, shape: Any, stride: Any, *rest: Any) -> TensorOutline:
    """`_rebuild_tensor_v2`, and without the last arguments `_rebuild_tensor`."""
    if not isinstance(storage, Storage):
        raise TypeError
    found = _within(storage, offset, shape, stride, kind=storage.kind, count=storage.count)
    return replace(found, parts=_bits(rest[2] if len(rest) > 2 else None))


def typed(storage: Any, offset: Any, shape: Any, stride: Any, *rest: Any) -> TensorOutline:
    """`_rebuild_tensor_v3`: of a dtype without a storage class of its own; its storage is counted in bytes."""
    dtype = rest[2] if len(rest) > 2 else None
    if not (isinstance(dtype, Named) and isinstance(storage, Storage)):
        raise TypeError
    found = _within(storage, offset, shape, stride, kind=dtype.path.removeprefix("torch."), count=storage.bytes)
    return replace(found, parts=_bits(rest[3] if len(rest) > 3 else None))


def _bits(metadata: Any) -> tuple[str, ...]:
    """`conj` and `neg` of a tensor whose values are to be read as their conjugates or negatives."""
    found = tuple(key for key, value in metadata.items() if value) if isinstance(metadata, dict) else ()
    if not set(found) <= {"conj", "neg"}:
        raise NotPlainError(f"a tensor with metadata of its own ({', '.join(map(str, found))[:80]})")
    return found


def quantized(storage: Any, offset: Any, shape: Any, stride: Any, quantizer: Any, *_: Any) -> TensorOutline:
    """`_rebuild_qtensor`: the scheme's name, then its numbers."""
    if not (isinstance(storage, Storage) and isinstance(quantizer, tuple) and len(quantizer) in (3, 4)):
        raise TypeError
    if not isinstance(quantizer[0], Named):
        raise TypeError
    found = _within(storage, offset, shape, stride, kind=storage.kind, count=storage.count)
    return TensorOutline(found.kind, found.shape, storage, found.stride, found.offset, "quantized", quantizer)


def parameter(data: Any, *_: Any) -> Any:
    """`_rebuild_parameter`: a parameter is its tensor."""
    if not isinstance(data, TensorOutline | Foreign | Instance):
        raise TypeError
    return data


def sparse(layout: Any, data: Any) -> TensorOutline:
    """`_rebuild_sparse_tensor`: the indices, the values, and the size of the whole."""
    name = layout.value if isinstance(layout, TorchValue) else None
    if not (isinstance(name, str) and isinstance(data, tuple) and len(data) >= 3):
        raise TypeError
    numbers = [part for part in data if isinstance(part, TensorOutline)]
    rest = [part for part in data if not isinstance(part, TensorOutline | bool | None)]
    if len(rest) != 1 or len(numbers) not in (2, 3):
        raise TypeError
    whole = size(rest[0])
    coalesced = data[3] if len(data) > 3 and isinstance(data[3], bool) else None
    return TensorOutline(numbers[-1].kind, whole, None, form="sparse", parts=(name, coalesced, *numbers))


def meta(dtype: Any, shape: Any, stride: Any = (), *_: Any) -> TensorOutline:
    """`_rebuild_meta_tensor_no_storage`."""
    if not isinstance(dtype, Named):
        raise TypeError
    return TensorOutline(dtype.path.removeprefix("torch."), size(shape), None, size(stride), form="meta")


def of_array(data: Any, dtype: Any, *_: Any) -> TensorOutline:
    """`_rebuild_device_tensor_from_numpy`, as tensors of some accelerators are written."""
    if not (isinstance(data, Instance | np.ndarray) and isinstance(dtype, Named)):
        raise TypeError
    return TensorOutline(dtype.path.removeprefix("torch."), (), None, form="array", parts=(data,))


def _within(storage: Storage, offset: Any, shape: Any, stride: Any, *, kind: str, count: int) -> TensorOutline:
    sides, steps = size(shape), size(stride)
    if not is_count(offset) or len(steps) != len(sides):
        raise TypeError
    last = offset + sum((length - 1) * step for length, step in zip(sides, steps, strict=True))
    if 0 not in sides and last >= count:
        raise NotPlainError(f"a tensor of {list(sides)} in a storage of {count}")
    if math.prod(sides) >= 1 << 62:
        raise NotPlainError("a tensor of more values than there are")
    return TensorOutline(kind, sides, storage, steps, offset)
