"""ONNX files of large models: written and read back without a second copy of the weights in memory.

An ONNX file is a protobuf message: `ModelProto.graph` holds the `initializer`s, and each of those its `raw_data`. The
weights go from the module's own memory to their place in the file; only what is around them is ever built.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

_LARGE = 1 << 16
"""Bytes from which a weight is kept out of the message: below, it may be a shape that the checks need."""
# Field numbers of onnx.proto, which never change.
_MODEL_GRAPH, _GRAPH_INITIALIZER, _TENSOR_RAW_DATA = 7, 5, 9
_VARINT, _LENGTH = 0, 2


@dataclass(frozen=True)
class OnnxParts:
    """A graph, and the data of its large weights by name."""

    model: Any
    """A ModelProto whose large weights have a name, a type and a shape, and no data."""
    weights: Mapping[str, NDArray[Any]]

    @property
    def bytes(self) -> int:
        """The size of the file, to within a few hundred bytes."""
        return int(self.model.ByteSize()) + sum(array.nbytes for array in self.weights.values())


def parts_of(model: Any) -> OnnxParts:
    """The parts of an exporter's model (`onnx_ir.Model`), whose weights still are the module's."""
    import onnx_ir as ir

    weights: dict[str, NDArray[Any]] = {}
    for name, value in model.graph.initializers.items():
        tensor = value.const_value
        if tensor is not None and tensor.nbytes >= _LARGE and _is_plain(tensor.dtype, ir.DataType):
            weights[name] = np.ascontiguousarray(tensor.numpy())
            value.const_value = ir.ExternalTensor(
                "weights", 0, tensor.nbytes, tensor.dtype, shape=tensor.shape, name=name
            )
    proto = ir.to_proto(model)
    for entry in proto.graph.initializer:
        if entry.name in weights:
            entry.ClearField("external_data")
            entry.ClearField("data_location")
    return OnnxParts(proto, weights)


def _is_plain(dtype: Any, known: Any) -> bool:
    """Whether the bytes of a weight's array are those of the file: so for types that numpy has itself."""
    return dtype in (known.FLOAT, known.DOUBLE, known.FLOAT16, known.INT64, known.INT32, known.INT8, known.UINT8)


def check(parts: OnnxParts) -> None:
    """onnx's own full check, with the large weights as inputs: it would read the whole file, several times over."""
    import onnx

    checked = onnx.ModelProto()
    checked.CopyFrom(parts.model)
    kept = [entry for entry in checked.graph.initializer if entry.name not in parts.weights]
    large = [entry for entry in checked.graph.initializer if entry.name in parts.weights]
    known = {entry.name for entry in checked.graph.input}
    checked.graph.input.extend(
        onnx.helper.make_tensor_value_info(entry.name, entry.data_type, entry.dims)
        for entry in large
        if entry.name not in known
    )
    del checked.graph.initializer[:]
    checked.graph.initializer.extend(kept)
    onnx.checker.check_model(checked, full_check=True)


def write(parts: OnnxParts, path: Path) -> None:
    """One file of less than 2 GiB. The same parts give the same bytes."""
    graph = type(parts.model.graph)()
    graph.CopyFrom(parts.model.graph)
    tensors = list(graph.initializer)
    heads = [tensor.SerializeToString(deterministic=True) for tensor in tensors]
    data = [parts.weights.get(tensor.name) for tensor in tensors]
    sizes = [len(head) + _raw_size(array) for head, array in zip(heads, data, strict=True)]
    del graph.initializer[:]
    body = graph.SerializeToString(deterministic=True)
    around = type(parts.model)()
    around.CopyFrom(parts.model)
    around.ClearField("graph")
    total = len(body) + sum(len(_key(_GRAPH_INITIALIZER, size)) + size for size in sizes)
    with path.open("wb") as file:
        file.write(around.SerializeToString(deterministic=True))
        file.write(_key(_MODEL_GRAPH, total))
        file.write(body)
        for head, array, size in zip(heads, data, sizes, strict=True):
            file.write(_key(_GRAPH_INITIALIZER, size))
            file.write(head)
            if array is not None:
                file.write(_key(_TENSOR_RAW_DATA, array.nbytes))
                file.write(array.data)


def head(path: Path) -> Any:
    """The file's ModelProto without its graph: opsets, IR version and metadata, whatever the size of the file."""
    import onnx

    kept = bytearray()
    with path.open("rb") as file:
        while (key := _read_varint(file)) is not None:
            number, kind = key >> 3, key & 7
            if kind == _VARINT:
                kept += _varint(key) + _varint(_read_varint(file) or 0)
            elif kind == _LENGTH:
                size = _read_varint(file) or 0
                if number == _MODEL_GRAPH:
                    file.seek(size, io.SEEK_CUR)
                else:
                    kept += _varint(key) + _varint(size) + file.read(size)
            else:
                raise ValueError(f"{path} is not an ONNX file: it has a field of kind {kind}")
    return onnx.ModelProto.FromString(bytes(kept))


def _raw_size(array: NDArray[Any] | None) -> int:
    return 0 if array is None else len(_key(_TENSOR_RAW_DATA, array.nbytes)) + array.nbytes


def _key(number: int, size: int) -> bytes:
    """What precedes a field of that many bytes."""
    return _varint(number << 3 | _LENGTH) + _varint(size)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(file: IO[bytes]) -> int | None:
    """None at the end of the file."""
    value = shift = 0
    while byte := file.read(1):
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
        shift += 7
    return None
