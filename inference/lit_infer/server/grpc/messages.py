"""From the protocol's messages to a model's inputs, and from its outputs back. Pure functions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.errors import UsageError
from lit_infer.manifest import Manifest
from lit_infer.rows.fields import Fields
from lit_infer.server.grpc.inference_pb2 import InferParameter, ModelInferRequest, ModelInferResponse
from lit_infer.server.models.opening import Served
from lit_infer.server.oip import protocol
from lit_infer.server.oip.answers import raw_output
from lit_infer.server.oip.protocol import InferJson, OutputTensor
from lit_infer.server.oip.tensors import DATATYPES, MOST_IMAGES, WIRE, InputTensor, join_bytes
from lit_infer.server.results import InferRequest

_DTYPES = {datatype: dtype for dtype, datatype in DATATYPES.items()}
_FIELDS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
_AT_ONCE = 65_536
_MOST_PARAMETERS, _MOST_DIMENSIONS = 64, 64
_RAW = {"binary_data": True}
"""Answers are always raw bytes: that is what clients of this protocol expect."""


def fitted(request: ModelInferRequest, manifest: Manifest, fields: Fields | None = None) -> InferRequest:
    """A request's tensors, checked against the model. Raises UsageError and UnsupportedError."""
    _check_sizes(request, manifest)
    tensors = [_described(tensor) for tensor in request.inputs]
    found: dict[str, tuple[InputTensor, memoryview | None]] = {}
    for tensor, blob in zip(tensors, _blobs(request), strict=True):
        if tensor.name in found:
            raise UsageError(f"input {tensor.name[:100]} is given twice")
        found[tensor.name] = (tensor, blob)
    outputs = [OutputTensor(one.name, {**_parameters(one.parameters), **_RAW}) for one in request.outputs]
    parameters = {**_parameters(request.parameters), "binary_data_output": True}
    return protocol.fit(InferJson([], outputs, parameters, request.id), found, manifest, fields)


def response(request: InferRequest, outputs: Sequence[NDArray[Any]], served: Served) -> ModelInferResponse:
    """The requested outputs, as raw bytes."""
    answer = ModelInferResponse(model_name=served.name, model_version=served.version, id=request.id)
    by_name = {tensor.name: array for tensor, array in zip(served.manifest.outputs, outputs, strict=True)}
    for wanted in request.wanted:
        datatype, shape, blob = raw_output(wanted, by_name[wanted.name], served.manifest)
        answer.outputs.add(name=wanted.name, datatype=datatype, shape=shape)
        answer.raw_output_contents.append(blob)
    return answer


def _check_sizes(request: ModelInferRequest, manifest: Manifest) -> None:
    """To be called first: a message of 16 MiB can hold millions of tensors, dimensions or parameters."""
    for what, have, most in (
        ("inputs", request.inputs, len(manifest.inputs)),
        ("outputs", request.outputs, len(manifest.outputs)),
        ("parameters", request.parameters, _MOST_PARAMETERS),
    ):
        if len(have) > most:
            raise UsageError(f"{len(have):,} {what}, but {manifest.name} takes at most {most}")
    for output in request.outputs:
        if len(output.parameters) > _MOST_PARAMETERS:
            raise UsageError(f"output {output.name[:100]}: {len(output.parameters):,} parameters are too many")
    for tensor in request.inputs:
        if len(tensor.parameters) > _MOST_PARAMETERS or len(tensor.shape) > _MOST_DIMENSIONS:
            many = f"{len(tensor.shape):,} dimensions or {len(tensor.parameters):,} parameters"
            raise UsageError(f"input {tensor.name[:100]}: {many} are too many")


def _described(tensor: ModelInferRequest.InferInputTensor) -> InputTensor:
    described = InputTensor(tensor.name, tensor.datatype, list(tensor.shape), _parameters(tensor.parameters))
    if described.parameters:
        protocol.check_memory(described)
    return described


def _parameters(parameters: Mapping[str, InferParameter]) -> dict[str, Any]:
    if not parameters:
        return {}
    chosen = ((name, value, value.WhichOneof("parameter_choice")) for name, value in parameters.items())
    return {name: getattr(value, choice) for name, value, choice in chosen if choice is not None}


def _blobs(request: ModelInferRequest) -> list[memoryview]:
    """The bytes of each input, whichever of the two fields holds them."""
    inputs, raw = request.inputs, request.raw_input_contents
    if not raw:
        return [_typed(tensor) for tensor in inputs]
    if len(raw) != len(inputs):
        raise UsageError(f"{len(inputs)} inputs, but {len(raw)} raw_input_contents")
    for tensor in inputs:
        if tensor.HasField("contents"):
            raise UsageError(f"input {tensor.name[:100]} has both contents and raw_input_contents")
    return [memoryview(blob) for blob in raw]


def _typed(tensor: ModelInferRequest.InferInputTensor) -> memoryview:
    name, field = tensor.name[:100], _FIELDS.get(tensor.datatype)
    if field is None:
        raise UsageError(f"input {name}: {tensor.datatype[:16]} has no typed contents; use raw_input_contents")
    given = [one.name for one, _ in tensor.contents.ListFields()]
    if given != [field]:
        found = " and ".join(given) or "neither"
        raise UsageError(
            f"input {name}: {tensor.datatype} belongs in {field} or in raw_input_contents; {found} was set"
        )
    values = getattr(tensor.contents, field)
    if tensor.datatype == "BYTES":
        if len(values) > MOST_IMAGES:
            raise UsageError(f"input {name}: one request can have {MOST_IMAGES:,} images")
        return memoryview(join_bytes(values))
    return _array(values, _DTYPES[tensor.datatype], name).view(np.uint8).data


def _array(values: Sequence[Any], dtype: str, name: str) -> NDArray[Any]:
    """Converted in parts: converting millions of numbers at once would block all other threads."""
    array = np.empty(len(values), WIRE[dtype])
    try:
        for first in range(0, len(values), _AT_ONCE):
            array[first : first + _AT_ONCE] = values[first : first + _AT_ONCE]
    except OverflowError as error:
        raise UsageError(f"input {name}: {error}") from None
    return array
