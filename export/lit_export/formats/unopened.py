"""What a graph file says of itself without being opened: none of its code is run, and torch is not needed."""

import reprlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from lit_infer.engines.opened import MANIFEST_KEY
from lit_infer.engines.tensorrt import unpack
from lit_infer.errors import ArtifactError, require

NamedLines = Iterator[tuple[str, str]]
"""Name and value; the name is empty where the value continues the one above."""

_LARGEST_MANIFEST = 16 << 20
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60
_SHORT.maxlevel = 3


@dataclass(frozen=True)
class Contents:
    """The manifest that a file carries, as JSON, and what else is shown before and after it."""

    manifest: bytes | str | None
    before: tuple[tuple[str, str], ...] = ()
    after: tuple[tuple[str, str], ...] = ()


def onnx(path: Path) -> Contents:
    """Opset, inputs, outputs and metadata of an ONNX file."""
    package = require("onnx", extra="export", purpose="lit-export inspect")
    try:
        model = package.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's own errors have no common root
        reason = " ".join(str(error).split())[:120]
        raise ArtifactError(f"{path} is not a complete ONNX file: {reason}") from None
    properties = {item.key: item.value for item in model.metadata_props}
    embedded = properties.pop(MANIFEST_KEY, None)
    metadata = titled("metadata", [f"{key}: {short(value)}" for key, value in properties.items()])
    return Contents(embedded, tuple(_graph(model, package)), tuple(metadata))


def archive(path: Path) -> Contents:
    """The listing of a TorchScript or .pt2 archive, and the manifest next to its code, which is not read."""
    try:
        with zipfile.ZipFile(path) as file:
            names = file.namelist()
            found = next((name for name in names if f"/extra/{MANIFEST_KEY}" in f"/{name}"), None)
            is_small = found is not None and file.getinfo(found).file_size <= _LARGEST_MANIFEST
            embedded = file.read(found) if found is not None and is_small else None
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ArtifactError(f"{path} is not a complete archive: {error}") from None
    kinds: dict[str, int] = {}
    for name in names:
        folder = name.partition("/")[2].partition("/")[0]
        kinds[folder] = kinds.get(folder, 0) + 1
    listing = ", ".join(f"{folder} ({count})" if count > 1 else folder for folder, count in kinds.items())
    return Contents(embedded, after=(("records", listing),))


def openvino(path: Path) -> Contents:
    """The manifest in an OpenVINO file's rt_info, and which IR it is."""
    data = path.read_bytes()
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:  # with entities a small file can become gigabytes
        raise ArtifactError(f"{path} is not as OpenVINO writes it: it declares entities of its own")
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - without entities
    except ElementTree.ParseError as error:
        raise ArtifactError(f"{path} is not a complete OpenVINO file: {error}") from None
    entry = root.find(f"rt_info/{MANIFEST_KEY}")
    layers = len(root.findall("layers/layer"))
    shown = (("IR", root.get("version", "unknown")), ("graph", f"{layers} layers"))
    return Contents(None if entry is None else entry.get("value"), shown)


def tensorrt(path: Path) -> Contents:
    """The manifest that precedes a TensorRT engine."""
    embedded, _ = unpack(path.read_bytes())
    return Contents(embedded)


def titled(name: str, lines: list[str]) -> NamedLines:
    """Several rows under one name."""
    for index, line in enumerate(lines):
        yield ("" if index else name), line


def short(value: Any) -> str:
    """A value of a file, cut to what fits into a line."""
    return value if isinstance(value, str) and len(value) <= 60 else _SHORT.repr(value)


def _graph(model: Any, package: Any) -> NamedLines:
    opsets = ", ".join(f"{item.domain or 'ai.onnx'} {item.version}" for item in model.opset_import)
    yield "opset", f"{opsets} · IR {model.ir_version}"
    yield "made by", f"{model.producer_name} {model.producer_version}".strip()
    yield "graph", f"{len(model.graph.node)} nodes, {len(model.graph.initializer)} weights"
    constants = {item.name for item in model.graph.initializer}
    yield from titled("inputs", [_value(item, package) for item in model.graph.input if item.name not in constants])
    yield from titled("outputs", [_value(item, package) for item in model.graph.output])


def _value(item: Any, package: Any) -> str:
    tensor = item.type.tensor_type
    kind = package.TensorProto.DataType.Name(tensor.elem_type).lower()
    return f"{item.name} {kind} [{', '.join(side.dim_param or str(side.dim_value) for side in tensor.shape.dim)}]"
