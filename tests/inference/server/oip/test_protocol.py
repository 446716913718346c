"""Every dtype, both ways, on models that the tiny one is not."""

from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from lit_infer.errors import UsageError
from lit_infer.manifest import Manifest
from lit_infer.server.oip import answers
from lit_infer.server.oip.protocol import parse
from lit_infer.server.oip.tensors import DATATYPES
from tests.support.server.requests import binary
from tests.support.server.tensor_models import model, some, two_d


def sent(array: NDArray[Any], name: str = "x") -> dict[str, Any]:
    return {"name": name, "datatype": DATATYPES[array.dtype.name], "shape": list(array.shape)}


@pytest.mark.parametrize("dtype", DATATYPES)
def test_every_dtype_travels_in_binary_both_ways(dtype: str) -> None:
    array, manifest = some(dtype), model(two_d(dtype))
    tensor = {**sent(array), "parameters": {"binary_data_size": array.nbytes}}
    body = binary({"inputs": [tensor], "parameters": {"binary_data_output": True}}, array.tobytes())

    request = parse(
        body["content"],
        header_length=int(body["headers"]["Inference-Header-Content-Length"]),
        manifest=manifest,
    )
    (head, blob), length = answers.response(request, request.items.arrays, manifest=manifest, name="m", version="1")

    assert (request.items.arrays[0].dtype, request.items.arrays[0].tolist()) == (array.dtype, array.tolist())
    assert blob == array.tobytes()
    assert length == len(head)
    assert msgspec.json.decode(head)["outputs"][0]["datatype"] == DATATYPES[dtype]


@pytest.mark.parametrize("dtype", [name for name in DATATYPES if name != "float16"])
def test_every_dtype_but_fp16_travels_in_json_both_ways(dtype: str) -> None:
    array, manifest = some(dtype), model(two_d(dtype))
    for data in (array.tolist(), array.ravel().tolist()):
        body = msgspec.json.encode({"inputs": [{**sent(array), "data": data}]})

        request = parse(body, header_length=None, manifest=manifest)
        (head,), _ = answers.response(request, request.items.arrays, manifest=manifest, name="m", version="1")

        assert (request.items.arrays[0].dtype, request.items.arrays[0].tolist()) == (array.dtype, array.tolist())
        assert msgspec.json.decode(head)["outputs"][0]["data"] == array.ravel().tolist()


def test_fp16_in_json_is_refused_both_ways() -> None:
    array = some("float16")
    with pytest.raises(UsageError, match="input x: FP16 can only be sent as binary data"):
        ask(model(two_d("float16"), outputs=(two_d("float32", "y"),)), {**sent(array), "data": array.tolist()})
    other = some("float32")
    with pytest.raises(UsageError, match="output y: FP16 can only be sent as binary data"):
        ask(model(two_d("float32"), outputs=(two_d("float16", "y"),)), {**sent(other), "data": other.tolist()})


def ask(manifest: Manifest, *inputs: dict[str, Any], **more: Any) -> Any:
    return parse(msgspec.json.encode({"inputs": inputs, **more}), header_length=None, manifest=manifest)


def test_inputs_may_come_in_any_order_and_must_agree_on_named_sides() -> None:
    manifest = model(two_d("int64", "a"), two_d("float32", "b"))
    a, b = {"name": "a", "datatype": "INT64"}, {"name": "b", "datatype": "FP32"}
    row = {"shape": [1, 3], "data": [1, 2, 3]}

    request = ask(manifest, {**b, **row}, {**a, **row})

    assert [array.dtype.name for array in request.items.arrays] == ["int64", "float32"]
    with pytest.raises(UsageError, match=r"input b must be \['batch', 3\] \(here \[1, 3\]\), not \[2, 3\]"):
        ask(manifest, {**a, **row}, {**b, "shape": [2, 3], "data": [0] * 6})
    with pytest.raises(UsageError, match="takes a, b, not a"):
        ask(manifest, {**a, **row})


def test_what_json_cannot_say_is_refused_not_made_null() -> None:
    manifest = model(two_d("float32"))
    array = np.array([[1, np.nan, np.inf]], dtype=np.float32)
    request = ask(manifest, {**sent(array), "data": [1, 2, 3]})

    with pytest.raises(UsageError, match="output x holds NaN or infinity"):
        answers.response(request, (array,), manifest=manifest, name="m", version="1")
    with pytest.raises(UsageError, match="too large for FP32"):
        ask(manifest, {**sent(array), "data": [1, 2, 1e300]})
