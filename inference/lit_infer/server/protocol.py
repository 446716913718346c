"""The Open Inference Protocol v2, inwards: a request's JSON and binary parts to arrays that fit the model.

Pure functions. What is wrong with a request is a UsageError that names the tensor; nothing is guessed.
An image tensor is BYTES [N] of encoded images: raw in binary, base64 in JSON.
"""

import base64
import binascii
import functools
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lit_infer.errors import LitError, UsageError
from lit_infer.manifest import Manifest, Tensor

DATATYPES = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
}
"""The protocol's names of the manifest's dtypes."""

_ELEMENT: dict[str, type] = {"BOOL": bool, "FP32": float, "FP64": float, "BYTES": str}
_MAX_RANK = 8
_MOST_IMAGES = 4096


class UnsupportedError(LitError):
    """A part of the protocol that this server does not have: HTTP 501."""

    status = 501


class InputTensor(msgspec.Struct, frozen=True):
    """An input as the request's JSON has it."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Any] = {}
    data: msgspec.Raw = msgspec.Raw(b"")


class OutputTensor(msgspec.Struct, frozen=True):
    """An output that the request asks for."""

    name: str
    parameters: dict[str, Any] = {}


class InferJson(msgspec.Struct, frozen=True):
    """A request's JSON."""

    inputs: list[InputTensor]
    outputs: list[OutputTensor] = []
    parameters: dict[str, Any] = {}
    id: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An output and how it is to be sent."""

    name: str
    binary: bool
    classes: int = 0
    """Not 0: the best so many as `value:index:label` instead of the numbers."""


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A request that fits its model: images, or arrays for all inputs in the manifest's order."""

    id: str
    images: tuple[bytes, ...]
    arrays: tuple[NDArray[Any], ...]
    wanted: tuple[Wanted, ...]
    timeout: float | None
    """Seconds, as the client asks; None: it does not."""


_DECODER = msgspec.json.Decoder(InferJson)


def parse(body: bytes, *, header_length: int | None, manifest: Manifest) -> InferRequest:
    """A request's body. `header_length`: bytes of JSON before the binary part; None: all is JSON."""
    if header_length is not None and not 0 < header_length <= len(body):
        raise UsageError(f"Inference-Header-Content-Length is {header_length}; the body has {len(body)} bytes")
    view = memoryview(body)
    request = _decode(view[:header_length])
    found, blobs = {}, view[len(view) if header_length is None else header_length :]
    for tensor in request.inputs:
        if tensor.name in found:
            raise UsageError(f"input {tensor.name} is given twice")
        size = _binary_size(tensor)
        if size is not None and size > len(blobs):
            raise UsageError(f"input {tensor.name}: binary_data_size is {size}, and {len(blobs)} bytes are left")
        found[tensor.name] = (tensor, None if size is None else blobs[:size])
        blobs = blobs[size or 0 :]
    if len(blobs):
        raise UsageError(f"{len(blobs)} bytes after the last input's binary data")
    return fit(request, found, manifest)


def fit(
    request: InferJson, found: dict[str, tuple[InputTensor, memoryview | None]], manifest: Manifest
) -> InferRequest:
    """A request's tensors, checked against the model."""
    _check_names(found, manifest)
    wanted, timeout = _wanted(request, manifest), _timeout(request.parameters)
    first, blob = found[manifest.inputs[0].name]
    if manifest.task != "tensor" and first.datatype == "BYTES":
        return InferRequest(request.id, images(first, blob), (), wanted, timeout)
    sides: dict[str, int] = {}
    arrays = tuple(_array(*found[tensor.name], tensor, sides) for tensor in manifest.inputs)
    return InferRequest(request.id, (), arrays, wanted, timeout)


def images(tensor: InputTensor, blob: memoryview | None) -> tuple[bytes, ...]:
    """The encoded images of a BYTES tensor [N] or [N, 1]."""
    if len(tensor.shape) not in (1, 2) or tensor.shape[1:] not in ([], [1]) or tensor.shape[0] < 1:
        raise UsageError(f"input {tensor.name}: images are BYTES [N] with at least one, not {tensor.shape}")
    if tensor.shape[0] > _MOST_IMAGES:
        raise UsageError(f"input {tensor.name}: one request can have {_MOST_IMAGES:,} images")
    if blob is not None:
        elements = split_bytes(blob, tensor.name, most=tensor.shape[0])
    else:
        elements = [_from_base64(text, tensor.name) for text in _strings(tensor)]
    if len(elements) != tensor.shape[0]:
        raise UsageError(f"input {tensor.name}: shape {tensor.shape}, and {len(elements)} elements")
    return tuple(elements)


def split_bytes(blob: memoryview, name: str, *, most: int) -> list[bytes]:
    """The elements of a BYTES tensor: each its length as u32, little-endian, and then itself."""
    elements: list[bytes] = []
    at = 0
    while at < len(blob):
        if len(elements) == most:
            raise UsageError(f"input {name}: {len(blob) - at} bytes after its {most} elements")
        if len(blob) - at < 4:
            raise UsageError(f"input {name}: {len(blob) - at} bytes where an element's length should be")
        (length,) = struct.unpack_from("<I", blob, at)
        at += 4
        if length > len(blob) - at:
            raise UsageError(f"input {name}: an element of {length} bytes, and {len(blob) - at} are left")
        elements.append(bytes(blob[at : at + length]))
        at += length
    return elements


def _decode(raw: memoryview) -> InferJson:
    try:
        return _DECODER.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"not an inference request: {error}") from None


def _binary_size(tensor: InputTensor) -> int | None:
    for key in tensor.parameters:
        if key.startswith("shared_memory"):
            raise UnsupportedError(f"input {tensor.name}: this server has no shared memory")
    size = tensor.parameters.get("binary_data_size")
    if size is None:
        if not bytes(tensor.data):
            raise UsageError(f"input {tensor.name} has neither data nor binary_data_size")
        return None
    if not is_count(size):
        raise UsageError(f"input {tensor.name}: binary_data_size is a number of bytes, not {size!r}")
    if bytes(tensor.data):
        raise UsageError(f"input {tensor.name} has both data and binary_data_size")
    return int(size)


def is_count(value: Any) -> bool:
    """A whole number that is not negative. JSON's true is none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _check_names(found: dict[str, Any], manifest: Manifest) -> None:
    expected = [tensor.name for tensor in manifest.inputs]
    if set(found) != set(expected):
        raise UsageError(f"{manifest.name} takes {', '.join(expected)}, not {', '.join(found) or 'nothing'}")


def _array(tensor: InputTensor, blob: memoryview | None, expected: Tensor, sides: dict[str, int]) -> NDArray[Any]:
    datatype = DATATYPES[expected.dtype]
    if tensor.datatype != datatype:
        raise UsageError(f"input {tensor.name} is {datatype}, not {tensor.datatype[:16]}")
    _check_shape(tensor, expected, sides)
    if blob is None:
        return _from_json(tensor, expected)
    dtype = np.dtype(expected.dtype).newbyteorder("<")
    size = math.prod(tensor.shape) * dtype.itemsize
    if len(blob) != size:
        raise UsageError(f"input {tensor.name}: {datatype} {tensor.shape} is {size} bytes, not {len(blob)}")
    array = np.frombuffer(blob, dtype=dtype).reshape(tensor.shape)
    if expected.dtype == "bool" and (array.view(np.uint8) > 1).any():
        raise UsageError(f"input {tensor.name}: a BOOL is a byte of 0 or 1")
    return array


def _check_shape(tensor: InputTensor, expected: Tensor, sides: dict[str, int]) -> None:
    """A named side has one length in all inputs, noted in `sides`."""
    fits = len(tensor.shape) == len(expected.shape)
    for have, want in zip(tensor.shape, expected.shape, strict=False):
        fits &= have >= 1 and have == (sides.setdefault(want, have) if isinstance(want, str) else want)
    if not fits:
        shape = [side if isinstance(side, int) else sides.get(side, -1) for side in expected.shape]
        # The client's own numbers may be of any length.
        raise UsageError(f"input {tensor.name} is {list(expected.shape)} (here {shape}), not {str(tensor.shape)[:200]}")


def _from_json(tensor: InputTensor, expected: Tensor) -> NDArray[Any]:
    if expected.dtype == "float16":
        raise UsageError(f"input {tensor.name}: FP16 can only be sent as binary data")
    data = _nested(tensor, _ELEMENT.get(tensor.datatype, int), rank=len(expected.shape))
    try:
        array = np.array(data, dtype=expected.dtype)
    except (ValueError, OverflowError) as error:  # ragged, or a number that the type cannot hold
        raise UsageError(f"input {tensor.name}: {error}") from None
    if array.size != math.prod(tensor.shape) or (array.ndim > 1 and list(array.shape) != tensor.shape):
        raise UsageError(f"input {tensor.name}: shape {tensor.shape}, and data of {list(array.shape)}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise UsageError(f"input {tensor.name}: a number is too large for {tensor.datatype}")
    return array.reshape(tensor.shape)


def _nested(tensor: InputTensor, element: type, *, rank: int) -> Any:
    """The JSON data: one flat list, or lists nested as deep as the tensor has sides."""
    raw = bytes(tensor.data)
    start = raw[:64].translate(None, b" \t\r\n")
    depth = len(start) - len(start.lstrip(b"["))
    if depth not in (1, rank) or depth > _MAX_RANK:
        raise UsageError(f"input {tensor.name}: data is one list, or lists {rank} deep")
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


def _from_base64(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise UsageError(f"input {name}: an image in JSON is base64; send others as binary data") from None


def _wanted(request: InferJson, manifest: Manifest) -> tuple[Wanted, ...]:
    by_default = _flag(request.parameters, "binary_data_output", default=False)
    dtypes = {tensor.name: tensor.dtype for tensor in manifest.outputs}
    asked: Sequence[OutputTensor] = request.outputs or [OutputTensor(name) for name in dtypes]
    if len({output.name for output in asked}) != len(asked):
        raise UsageError("an output is asked for twice")
    wanted = []
    for output in asked:
        if output.name not in dtypes:
            raise UsageError(f"{manifest.name} answers {', '.join(dtypes)}, not {output.name[:100]}")
        one = _wanted_one(output, by_default=by_default)
        if dtypes[output.name] == "float16" and not one.binary and not one.classes:
            raise UsageError(f"output {output.name}: FP16 can only be sent as binary data: set binary_data")
        wanted.append(one)
    return tuple(wanted)


def _wanted_one(output: OutputTensor, *, by_default: bool) -> Wanted:
    if any(key.startswith("shared_memory") for key in output.parameters):
        raise UnsupportedError(f"output {output.name}: this server has no shared memory")
    classes = output.parameters.get("classification", 0)
    if not is_count(classes):
        raise UsageError(f"output {output.name}: classification is a number of classes, not {str(classes)[:50]}")
    return Wanted(output.name, _flag(output.parameters, "binary_data", default=by_default), classes)


def _flag(parameters: dict[str, Any], name: str, *, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise UsageError(f"parameter {name} is true or false, not {str(value)[:50]}")
    return value


def _timeout(parameters: dict[str, Any]) -> float | None:
    for name in ("timeout", "priority"):
        if not is_count(parameters.get(name, 0)):
            raise UsageError(f"parameter {name} is a whole number, not {str(parameters[name])[:50]}")
    if parameters.get("sequence_id"):
        raise UnsupportedError("this server has no sequences")
    microseconds = parameters.get("timeout", 0)
    return microseconds / 1e6 if 0 < microseconds < 2**53 else None
