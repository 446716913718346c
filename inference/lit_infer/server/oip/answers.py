"""Open Inference Protocol v2, outwards: from output arrays to a response's JSON and binary parts. Pure functions."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lit_infer.errors import UsageError
from lit_infer.manifest import Manifest
from lit_infer.server.oip.tensors import DATATYPES, WIRE, join_bytes
from lit_infer.server.results import InferRequest, WantedOutput
from lit_infer.tasks.choices import top_choices

_WIRE = {np.dtype(dtype): (datatype, WIRE[dtype]) for dtype, datatype in DATATYPES.items()}
"""By dtype: looking up a dtype's name takes longer than everything else here."""


def response(
    request: InferRequest, outputs: Sequence[NDArray[Any]], *, manifest: Manifest, name: str, version: str
) -> tuple[list[bytes], int | None]:
    """The parts of the body, and the length of the JSON if binary parts follow it."""
    by_name = {tensor.name: array for tensor, array in zip(manifest.outputs, outputs, strict=True)}
    described, blobs = [], []
    for wanted in request.wanted:
        one, blob = _output(wanted, by_name[wanted.name], manifest)
        described.append(one)
        if blob is not None:
            blobs.append(blob)
    answer: dict[str, Any] = {"model_name": name, "model_version": version, "outputs": described}
    if request.id:
        answer["id"] = request.id
    header = msgspec.json.encode(answer)
    return [header, *blobs], len(header) if blobs else None


def raw_output(wanted: WantedOutput, array: NDArray[Any], manifest: Manifest) -> tuple[str, list[int], bytes]:
    """An output's datatype, shape and bytes."""
    if not wanted.classes:
        datatype, wire = _WIRE[array.dtype]
        return datatype, list(array.shape), array.astype(wire, copy=False).tobytes()
    texts = classified(array, wanted, manifest)
    return "BYTES", [len(texts), len(texts[0])], join_bytes(text.encode() for row in texts for text in row)


def _output(wanted: WantedOutput, array: NDArray[Any], manifest: Manifest) -> tuple[dict[str, Any], bytes | None]:
    if wanted.binary:
        datatype, shape, blob = raw_output(wanted, array, manifest)
        parameters = {"binary_data_size": len(blob)}
        return {"name": wanted.name, "datatype": datatype, "shape": shape, "parameters": parameters}, blob
    if wanted.classes:
        texts = classified(array, wanted, manifest)
        flat = [text for row in texts for text in row]
        return {"name": wanted.name, "datatype": "BYTES", "shape": [len(texts), len(texts[0])], "data": flat}, None
    described = {"name": wanted.name, "datatype": DATATYPES[array.dtype.name], "shape": list(array.shape)}
    return {**described, "data": _numbers(array, wanted.name)}, None


def _numbers(array: NDArray[Any], name: str) -> list[Any]:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise UsageError(f"output {name} holds NaN or infinity, which JSON cannot express: request it with binary_data")
    numbers: list[Any] = array.ravel().tolist()
    return numbers


def classified(array: NDArray[Any], wanted: WantedOutput, manifest: Manifest) -> list[list[str]]:
    """The top classes of each row, as `value:index:label`; without labels `value:index`."""
    if array.ndim != 2 or not array.size:
        raise UsageError(f"output {wanted.name}: classification needs [batch, classes], not {list(array.shape)}")
    labels = manifest.labels if wanted.name == manifest.outputs[0].name else None
    return [
        [
            f"{np.float32(choice.score)!s}:{choice.index}" + (f":{choice.label}" if labels else "")
            for choice in top_choices(row, labels=labels, top_k=wanted.classes)
        ]
        for row in array
    ]
