"""Tensors of the Open Inference Protocol v2: from JSON or bytes to arrays that fit the model. Pure functions.

They raise UsageError, which names the tensor; nothing is guessed.
An image tensor is BYTES [N] of encoded images: raw in binary, base64 in JSON.
"""

import functools
import math
import struct
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lit_infer.errors import UsageError
from lit_infer.manifest import Tensor
from lit_infer.proof import fits
from lit_infer.server.encoded import from_base64

DATATYPES = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
}
"""The protocol's names for the manifest's dtypes."""

WIRE = {dtype: np.dtype(dtype).newbyteorder("<") for dtype in DATATYPES}
"""How numbers of each dtype are sent as bytes."""

_ELEMENT: dict[str, type] = {"BOOL": bool, "FP32": float, "FP64": float, "BYTES": str}
_MAX_RANK = 8
MOST_IMAGES = 4096


class InputTensor(msgspec.Struct, frozen=True):
    """An input as the request's JSON has it."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Any] = {}
    data: msgspec.Raw = msgspec.Raw(b"")


def images(tensor: InputTensor, blob: memoryview | None) -> tuple[bytes, ...]:
    """The encoded images of a BYTES tensor [N] or [N, 1]."""
    _check_elements(tensor, "images")
    if blob is not None:
        elements = split_bytes(blob, tensor.name, most=tensor.shape[0])
    else:
        elements = [from_base64(text, f"input {tensor.name}: an image in JSON") for text in _strings(tensor)]
    _check_count(tensor, len(elements))
    return tuple(elements)


def texts(tensor: InputTensor, blob: memoryview | None) -> list[str]:
    """The texts of a BYTES tensor [N] or [N, 1]: UTF-8 in binary, as they are in JSON."""
    _check_elements(tensor, "texts")
    if blob is None:
        found = _strings(tensor)
    else:
        try:
            found = [text.decode() for text in split_bytes(blob, tensor.name, most=tensor.shape[0])]
        except UnicodeDecodeError:
            raise UsageError(f"input {tensor.name}: a text is not UTF-8") from None
    _check_count(tensor, len(found))
    return found


def _check_elements(tensor: InputTensor, what: str) -> None:
    if len(tensor.shape) not in (1, 2) or tensor.shape[1:] not in ([], [1]) or tensor.shape[0] < 1:
        raise UsageError(f"input {tensor.name}: {what} must be BYTES [N] with at least one element, not {tensor.shape}")
    if tensor.shape[0] > MOST_IMAGES:
        raise UsageError(f"input {tensor.name}: a request can have at most {MOST_IMAGES:,} {what}")


def _check_count(tensor: InputTensor, count: int) -> None:
    if count != tensor.shape[0]:
        raise UsageError(f"input {tensor.name}: shape {tensor.shape}, but {count} elements")


def split_bytes(blob: memoryview, name: str, *, most: int) -> list[bytes]:
    """The elements of a BYTES tensor: each is its length as little-endian u32, followed by its bytes."""
    elements: list[bytes] = []
    at = 0
    while at < len(blob):
        if len(elements) == most:
            raise UsageError(f"input {name}: {len(blob) - at} bytes follow its {most} elements")
        if len(blob) - at < 4:
            raise UsageError(f"input {name}: {len(blob) - at} bytes where an element's length should be")
        (length,) = struct.unpack_from("<I", blob, at)
        at += 4
        if length > len(blob) - at:
            raise UsageError(f"input {name}: an element has {length} bytes, but only {len(blob) - at} are left")
        elements.append(bytes(blob[at : at + length]))
        at += length
    return elements


def join_bytes(elements: Iterable[bytes]) -> bytes:
    """The inverse of `split_bytes`."""
    return b"".join(part for element in elements for part in (struct.pack("<I", len(element)), element))


def array_of(tensor: InputTensor, blob: memoryview | None, expected: Tensor, sides: dict[str, int]) -> NDArray[Any]:
    """A tensor's array, checked against the model. `sides`: the lengths of named dimensions, as far as known."""
    datatype = DATATYPES[expected.dtype]
    if tensor.datatype != datatype:
        raise UsageError(f"input {tensor.name} must be {datatype}, not {tensor.datatype[:16]}")
    _check_shape(tensor, expected, sides)
    if blob is None:
        return _from_json(tensor, expected)
    dtype = WIRE[expected.dtype]
    size = math.prod(tensor.shape) * dtype.itemsize
    if len(blob) != size:
        raise UsageError(f"input {tensor.name}: {datatype} {tensor.shape} is {size} bytes, not {len(blob)}")
    array = np.frombuffer(blob, dtype=dtype).reshape(tensor.shape)
    if expected.dtype == "bool" and (array.view(np.uint8) > 1).any():
        raise UsageError(f"input {tensor.name}: each BOOL must be a byte of 0 or 1")
    return array


def _check_shape(tensor: InputTensor, expected: Tensor, sides: dict[str, int]) -> None:
    """Check a shape. A named dimension has the same length in all inputs, which is kept in `sides`."""
    if min(tensor.shape, default=1) < 1 or not fits(tensor.shape, expected.shape, sides):
        shape = [side if isinstance(side, int) else sides.get(side, -1) for side in expected.shape]
        # The client may have sent any number of dimensions.
        raise UsageError(
            f"input {tensor.name} must be {list(expected.shape)} (here {shape}), not {str(tensor.shape)[:200]}"
        )


def _from_json(tensor: InputTensor, expected: Tensor) -> NDArray[Any]:
    if expected.dtype == "float16":
        raise UsageError(f"input {tensor.name}: FP16 can only be sent as binary data")
    data = _nested(tensor, _ELEMENT.get(tensor.datatype, int), rank=len(expected.shape))
    try:
        with np.errstate(over="ignore"):  # reported below
            array = np.array(data, dtype=expected.dtype)
    except (ValueError, OverflowError) as error:  # ragged, or a number out of range
        raise UsageError(f"input {tensor.name}: {error}") from None
    if array.size != math.prod(tensor.shape) or (array.ndim > 1 and list(array.shape) != tensor.shape):
        raise UsageError(f"input {tensor.name}: shape {tensor.shape}, but data of shape {list(array.shape)}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise UsageError(f"input {tensor.name}: a number is too large for {tensor.datatype}")
    return array.reshape(tensor.shape)


def _nested(tensor: InputTensor, element: type, *, rank: int) -> Any:
    """Decode JSON data: one flat list, or lists nested as deep as the tensor has dimensions."""
    raw = bytes(tensor.data)
    start = raw[:64].translate(None, b" \t\r\n")
    depth = len(start) - len(start.lstrip(b"["))
    if depth not in (1, rank) or depth > _MAX_RANK:
        raise UsageError(f"input {tensor.name}: data must be one flat list, or lists nested {rank} deep")
    try:
        return _list_decoder(element, depth).decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(f"input {tensor.name}: {error}") from None


@functools.cache
def _list_decoder(element: type, depth: int) -> msgspec.json.Decoder[Any]:
    nested: Any = element
    for _ in range(depth):
        nested = list[nested]
    return msgspec.json.Decoder(nested)


def _strings(tensor: InputTensor) -> list[str]:
    data: list[Any] = _nested(tensor, str, rank=len(tensor.shape))
    return [text for row in data for text in row] if data and isinstance(data[0], list) else data
