"""Open Inference Protocol v2, inwards: from a request's JSON and binary parts to the inputs of its model.

Pure functions. They raise UsageError for an invalid request.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from numpy.typing import NDArray

from lit_infer.errors import UsageError
from lit_infer.manifest import Manifest
from lit_infer.rows.answering import prepared_together
from lit_infer.rows.blocks import RowBlock
from lit_infer.rows.fields import Fields
from lit_infer.rows.text import TextFields
from lit_infer.server.errors import UnsupportedError
from lit_infer.server.models.packed import packed
from lit_infer.server.oip.tensors import InputTensor, array_of, images, texts
from lit_infer.server.results import InferRequest, Items, WantedOutput


class OutputTensor(msgspec.Struct, frozen=True):
    """An output that the request asks for, as its JSON has it."""

    name: str
    parameters: dict[str, Any] = {}


class InferJson(msgspec.Struct, frozen=True):
    """A request's JSON."""

    inputs: list[InputTensor]
    outputs: list[OutputTensor] = []
    parameters: dict[str, Any] = {}
    id: str = ""


_DECODER = msgspec.json.Decoder(InferJson)


def parse(body: bytes, *, header_length: int | None, manifest: Manifest, fields: Fields | None = None) -> InferRequest:
    """Parse a request's body. `header_length`: bytes of JSON before the binary part; None: the body is all JSON.

    `fields`: of a model that takes texts, which a request may send in place of tokens.
    """
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
            raise UsageError(f"input {tensor.name}: binary_data_size is {size}, but only {len(blobs)} bytes are left")
        found[tensor.name] = (tensor, None if size is None else blobs[:size])
        blobs = blobs[size or 0 :]
    if len(blobs):
        raise UsageError(f"the body has {len(blobs)} bytes more than its inputs' binary data")
    return fit(request, found, manifest, fields)


def fit(
    request: InferJson,
    found: dict[str, tuple[InputTensor, memoryview | None]],
    manifest: Manifest,
    fields: Fields | None = None,
) -> InferRequest:
    """A request's tensors, checked against the model; or its texts, as BYTES by the names of their columns."""
    if isinstance(fields, TextFields) and any(tensor.datatype == "BYTES" for tensor, _ in found.values()):
        wanted, timeout = _wanted(request, manifest), _timeout(request.parameters)
        return InferRequest(request.id, Items(arrays=_tokens(found, fields, manifest.name), timeout=timeout), wanted)
    _check_names(found, [tensor.name for tensor in manifest.inputs], manifest.name)
    wanted, timeout = _wanted(request, manifest), _timeout(request.parameters)
    first, blob = found[manifest.inputs[0].name]
    if manifest.image_names and first.datatype == "BYTES":
        return InferRequest(request.id, Items(images=_several(found, manifest), timeout=timeout), wanted)
    if manifest.spec.takes_images and first.datatype == "BYTES":
        return InferRequest(request.id, Items(images=images(first, blob), timeout=timeout), wanted)
    sides: dict[str, int] = {}
    arrays = tuple(array_of(*found[tensor.name], tensor, sides) for tensor in manifest.inputs)
    return InferRequest(request.id, Items(arrays=arrays, timeout=timeout), wanted)


def _several(found: dict[str, tuple[InputTensor, memoryview | None]], manifest: Manifest) -> tuple[bytes, ...]:
    """The encoded images of all inputs, those of an answer packed."""
    kinds = {found[name][0].datatype for name in manifest.image_names}
    if kinds != {"BYTES"}:
        raise UsageError(f"{', '.join(manifest.image_names)} are {' and '.join(sorted(kinds))}: send all of them alike")
    columns = [images(*found[name]) for name in manifest.image_names]
    if len({len(column) for column in columns}) > 1:
        raise UsageError(f"{', '.join(manifest.image_names)} have different numbers of images")
    return tuple(map(packed, zip(*columns, strict=True)))


def _decode(raw: memoryview) -> InferJson:
    try:
        return _DECODER.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"not an inference request: {error}") from None


def check_memory(tensor: InputTensor | OutputTensor) -> None:
    """Raise UnsupportedError for a tensor in shared memory: here tensors are sent with their request."""
    if any(key.startswith("shared_memory") for key in tensor.parameters):
        what = "input" if isinstance(tensor, InputTensor) else "output"
        raise UnsupportedError(f"{what} {tensor.name}: this server does not support shared memory")


def _binary_size(tensor: InputTensor) -> int | None:
    check_memory(tensor)
    size = tensor.parameters.get("binary_data_size")
    if size is None:
        if not bytes(tensor.data):
            raise UsageError(f"input {tensor.name} has neither data nor binary_data_size")
        return None
    if not is_count(size):
        raise UsageError(f"input {tensor.name}: binary_data_size must be a number of bytes, not {size!r}")
    if bytes(tensor.data):
        raise UsageError(f"input {tensor.name} has both data and binary_data_size")
    return int(size)


def is_count(value: Any) -> bool:
    """Whether this is a non-negative whole number. JSON's true is not."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _tokens(
    found: dict[str, tuple[InputTensor, memoryview | None]], fields: TextFields, model: str
) -> tuple[NDArray[Any], ...]:
    """Texts as the graph takes them. Raises InputError for one that it cannot take."""
    _check_names(found, fields.names, model)
    if odd := [name for name, (tensor, _) in found.items() if tensor.datatype != "BYTES"]:
        raise UsageError(f"input {odd[0]} must be BYTES, as the texts are")
    columns = {name: texts(*found[name]) for name in fields.names}
    counts = {len(column) for column in columns.values()}
    if len(counts) > 1:
        raise UsageError(f"{' and '.join(columns)} must have the same number of texts")
    return prepared_together(RowBlock(counts.pop(), columns), fields).arrays


def _check_names(found: dict[str, Any], expected: Sequence[str], model: str) -> None:
    if set(found) != set(expected):
        raise UsageError(f"{model} takes {', '.join(expected)}, not {', '.join(found) or 'nothing'}")


def _wanted(request: InferJson, manifest: Manifest) -> tuple[WantedOutput, ...]:
    by_default = _flag(request.parameters, "binary_data_output", default=False)
    dtypes = {tensor.name: tensor.dtype for tensor in manifest.outputs}
    asked: Sequence[OutputTensor] = request.outputs or [OutputTensor(name) for name in dtypes]
    if len({output.name for output in asked}) != len(asked):
        raise UsageError("an output is requested twice")
    wanted = []
    for output in asked:
        if output.name not in dtypes:
            raise UsageError(f"{manifest.name} answers {', '.join(dtypes)}, not {output.name[:100]}")
        one = _wanted_one(output, by_default=by_default)
        if dtypes[output.name] == "float16" and not one.binary and not one.classes:
            raise UsageError(f"output {output.name}: FP16 can only be sent as binary data: set binary_data")
        wanted.append(one)
    return tuple(wanted)


def _wanted_one(output: OutputTensor, *, by_default: bool) -> WantedOutput:
    check_memory(output)
    classes = output.parameters.get("classification", 0)
    if not is_count(classes):
        raise UsageError(f"output {output.name}: classification must be a number of classes, not {str(classes)[:50]}")
    return WantedOutput(output.name, _flag(output.parameters, "binary_data", default=by_default), classes)


def _flag(parameters: dict[str, Any], name: str, *, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise UsageError(f"parameter {name} must be true or false, not {str(value)[:50]}")
    return value


def _timeout(parameters: dict[str, Any]) -> float | None:
    for name in ("timeout", "priority"):
        if not is_count(parameters.get(name, 0)):
            raise UsageError(f"parameter {name} must be a non-negative whole number, not {str(parameters[name])[:50]}")
    if parameters.get("sequence_id"):
        raise UnsupportedError("this server does not support sequences")
    microseconds = parameters.get("timeout", 0)
    return microseconds / 1e6 if 0 < microseconds < 2**53 else None
