"""torch's tensors and values from outlines and the bytes of their storages. Only constructors of torch's own run."""

import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from lit_export.front import outline
from lit_export.front.container import UnpackedFile
from lit_export.front.plain_values import TensorOutline, TorchValue
from lit_export.front.plain_values import tensors as parts_of
from lit_export.front.settled import replaced
from lit_export.front.sweep import sweep
from lit_infer.errors import ArtifactError

_DTYPES = {
    "Byte": torch.uint8,
    "Char": torch.int8,
    "Bool": torch.bool,
    "Half": torch.float16,
    "BFloat16": torch.bfloat16,
    "Short": torch.int16,
    "Float": torch.float32,
    "Int": torch.int32,
    "Double": torch.float64,
    "Long": torch.int64,
    "ComplexFloat": torch.complex64,
    "ComplexDouble": torch.complex128,
}
_QUANTIZED = {"QInt8": torch.int8, "QUInt8": torch.uint8, "QInt32": torch.int32}
_NATIVE = "<" if sys.byteorder == "little" else ">"


def load(file: Any, packed: UnpackedFile, wanted: Iterable[Any], *, where: str) -> tuple[dict[str, torch.Tensor], str]:
    """The bytes of the storages below the `wanted` values, by key, and the sha256 of the file, in one pass over it."""
    storages = {storage.key: storage for value in wanted for storage in outline.storages(value)}
    try:
        found = {key: torch.empty(storage.bytes, dtype=torch.uint8) for key, storage in storages.items()}
    except RuntimeError:  # of torch's allocator
        total = sum(storage.bytes for storage in storages.values())
        raise ArtifactError(f"{where}: its weights take {total:,} bytes, more memory than there is") from None
    views = {f"data/{key}": memoryview(buffer.numpy().data) for key, buffer in found.items() if buffer.numel()}
    return found, sweep(file, packed.size, packed.extents, views, where=where)


def restored(contents: Any, storages: Mapping[str, torch.Tensor], *, order: str, where: str) -> Any:
    """The contents with torch's own values; a tensor whose storage was not loaded stays an outline."""

    def leaf(value: Any, _: Callable[[Any], Any]) -> Any:
        if isinstance(value, TorchValue):
            return _value(value)
        if not isinstance(value, TensorOutline):
            return value
        needed = {part.storage.key for part in parts_of(value) if part.storage is not None}
        return _tensor(value, storages, order, where) if needed <= storages.keys() else value

    return replaced(contents, leaf)


def _value(value: TorchValue) -> Any:
    """A dtype, device, layout or size; one that this torch does not know stays as it is."""
    try:
        if value.kind == "size":
            return torch.Size(value.value)
        if value.kind == "device":
            return torch.device(value.value)
        found = getattr(torch, str(value.value).removeprefix("torch."), value)
        return found if isinstance(found, torch.dtype | torch.layout | torch.qscheme) else value
    except (RuntimeError, TypeError, ValueError, AttributeError):
        return value


def _tensor(value: TensorOutline, storages: Mapping[str, torch.Tensor], order: str, where: str) -> torch.Tensor:
    makers = {"strided": _strided, "quantized": _quantized, "sparse": _sparse, "meta": _meta, "array": _of_array}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remarks on its own sparse and quantized tensors
            made: torch.Tensor = makers[value.form](value, storages, order)
            return made
    except (RuntimeError, TypeError, ValueError, LookupError, AttributeError, AssertionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ArtifactError(
            f"{where} holds a {value.form} tensor of {value.kind} that this torch cannot make: {reason}"
        ) from None


def _dtype(kind: str) -> torch.dtype:
    found = _DTYPES.get(kind) or _QUANTIZED.get(kind) or getattr(torch, kind, None)
    if not isinstance(found, torch.dtype):
        raise TypeError(f"no dtype {kind}")
    return found


def _strided(value: TensorOutline, storages: Mapping[str, torch.Tensor], order: str) -> torch.Tensor:
    assert value.storage is not None  # noqa: S101 - what a strided tensor has
    elements = _in_native_order(storages[value.storage.key], _dtype(value.kind), order)
    made = elements.as_strided(value.shape, value.stride, value.offset)
    made = made.conj() if "conj" in value.parts else made
    return made._neg_view() if "neg" in value.parts else made


def _in_native_order(buffer: torch.Tensor, dtype: torch.dtype, order: str) -> torch.Tensor:
    """The storage's elements; those of another machine's byte order are turned round."""
    usable = buffer.numel() // dtype.itemsize * dtype.itemsize
    if order == _NATIVE or dtype.itemsize == 1:
        return buffer[:usable].view(dtype)
    width = dtype.itemsize // 2 if dtype.is_complex else dtype.itemsize
    turned = np.ascontiguousarray(buffer[:usable].numpy().reshape(-1, width)[:, ::-1]).reshape(-1)
    return torch.from_numpy(turned).view(dtype)


def _quantized(value: TensorOutline, storages: Mapping[str, torch.Tensor], order: str) -> torch.Tensor:
    """`_make_per_*_quantized_tensor` takes the integers as they are."""
    integers = _strided(replace(value, parts=()), storages, order)
    scheme, *numbers = value.parts
    if value.kind not in _QUANTIZED:
        raise TypeError(f"no quantized dtype {value.kind}")
    if scheme.path == "torch.per_tensor_affine":
        scale, zero = numbers
        return torch._make_per_tensor_quantized_tensor(integers, float(scale), int(zero))
    scales, zeros, axis = (_given(number, storages, order) for number in numbers)
    if not 0 <= axis < integers.dim() or len(scales) != integers.shape[axis] or len(zeros) != integers.shape[axis]:
        raise ValueError("scales for another number of channels")
    return torch._make_per_channel_quantized_tensor(integers, torch.as_tensor(scales), torch.as_tensor(zeros), axis)


def _given(number: Any, storages: Mapping[str, torch.Tensor], order: str) -> Any:
    return _strided(number, storages, order) if isinstance(number, TensorOutline) else number


def _sparse(value: TensorOutline, storages: Mapping[str, torch.Tensor], order: str) -> torch.Tensor:
    layout, coalesced, *numbers = value.parts
    made = [_strided(part, storages, order) for part in numbers]
    if layout == "torch.sparse_coo":
        indices, values = made
        return torch.sparse_coo_tensor(
            indices, values, value.shape, check_invariants=True, is_coalesced=coalesced or None
        )
    compressed, plain, values = made
    kind = getattr(torch, layout.removeprefix("torch."))
    return torch.sparse_compressed_tensor(compressed, plain, values, value.shape, layout=kind, check_invariants=True)


def _meta(value: TensorOutline, *_: Any) -> torch.Tensor:
    return torch.empty_strided(value.shape, value.stride, dtype=_dtype(value.kind), device="meta")


def _of_array(value: TensorOutline, *_: Any) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(value.parts[0])).to(_dtype(value.kind))
