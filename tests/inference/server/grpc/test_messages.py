"""Messages to what a model takes, every dtype, both ways, and whatever is wrong with them."""

from typing import Any

import numpy as np
import pytest
from google.protobuf import descriptor_pool, text_format
from numpy.typing import NDArray

from lit_infer.errors import UsageError
from lit_infer.manifest import Manifest, Tensor
from lit_infer.server.errors import UnsupportedError
from lit_infer.server.grpc import inference_pb2 as pb
from lit_infer.server.grpc import messages
from lit_infer.server.oip.tensors import DATATYPES
from tests.inference.tiny import described
from tests.support.server.requests import png
from tests.support.server.tensor_models import model, some, two_d

FIELDS = {"INT8": "int", "INT16": "int", "INT32": "int", "UINT8": "uint", "UINT16": "uint"}


class Model:
    """As much of an open model as an answer needs."""

    name, version = "m", "7"

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest


def request(array: NDArray[Any], *, raw: bool = True, **fields: Any) -> pb.ModelInferRequest:
    """For an input `x`."""
    made = pb.ModelInferRequest(model_name="m", **fields)
    datatype = DATATYPES[array.dtype.name]
    one = made.inputs.add(name="x", datatype=datatype, shape=array.shape)
    if raw:
        made.raw_input_contents.append(array.tobytes())
    else:
        getattr(one.contents, f"{FIELDS.get(datatype, datatype.lower())}_contents").extend(array.ravel().tolist())
    return made


@pytest.mark.parametrize("dtype", DATATYPES)
def test_every_dtype_travels_raw_both_ways(dtype: str) -> None:
    array, manifest = some(dtype), model(two_d(dtype))

    fitted = messages.fitted(request(array, id="a"), manifest)
    answer = messages.response(fitted, fitted.items.arrays, Model(manifest))  # type: ignore[arg-type]

    assert (fitted.items.arrays[0].dtype, fitted.items.arrays[0].tolist()) == (array.dtype, array.tolist())
    assert (answer.model_name, answer.model_version, answer.id) == ("m", "7", "a")
    (output,), (raw,) = answer.outputs, answer.raw_output_contents
    assert (output.name, output.datatype, list(output.shape), raw) == ("x", DATATYPES[dtype], [2, 3], array.tobytes())


@pytest.mark.parametrize("dtype", [name for name in DATATYPES if name != "float16"])
def test_every_dtype_but_fp16_travels_in_typed_contents(dtype: str) -> None:
    array = some(dtype)

    fitted = messages.fitted(request(array, raw=False), model(two_d(dtype)))

    assert (fitted.items.arrays[0].dtype, fitted.items.arrays[0].tolist()) == (array.dtype, array.tolist())


def test_many_typed_numbers_arrive_in_their_order() -> None:
    array = np.arange(200_001, dtype=np.int32).reshape(1, -1)
    manifest = model(Tensor(name="x", dtype="int32", shape=("batch", 200_001)))

    fitted = messages.fitted(request(array, raw=False), manifest)

    assert np.array_equal(fitted.items.arrays[0], array)


def test_images_come_as_bytes_raw_or_typed() -> None:
    files = (png("red"), png("blue"))
    typed, raw = pb.ModelInferRequest(), pb.ModelInferRequest()
    typed.inputs.add(name="images", datatype="BYTES", shape=[2]).contents.bytes_contents.extend(files)
    raw.inputs.add(name="images", datatype="BYTES", shape=[2])
    raw.raw_input_contents.append(b"".join(len(file).to_bytes(4, "little") + file for file in files))

    assert messages.fitted(typed, described()).items.images == messages.fitted(raw, described()).items.images == files


def test_inputs_and_outputs_come_in_any_order_and_each_once() -> None:
    manifest = model(two_d("int64", "a"), two_d("int64", "x"))
    made = request(some("int64"))
    other = made.inputs.add(name="a", datatype="INT64", shape=[2, 3])
    made.raw_input_contents.append(np.zeros((2, 3), np.int64).tobytes())

    fitted = messages.fitted(made, manifest)
    other.name = "x"

    assert not fitted.items.arrays[0].any()
    with pytest.raises(UsageError, match="input x is given twice"):
        messages.fitted(made, manifest)
    other.name = "a"
    made.outputs.add(name="a")
    made.outputs.add(name="a")
    with pytest.raises(UsageError, match="an output is requested twice"):
        messages.fitted(made, manifest)


def test_too_many_images_are_refused() -> None:
    made = pb.ModelInferRequest()
    made.inputs.add(name="images", datatype="BYTES", shape=[5000]).contents.bytes_contents.extend([b""] * 5000)

    with pytest.raises(UsageError, match="one request can have 4,096 images"):
        messages.fitted(made, described())


def test_parameters_of_every_kind_are_read() -> None:
    made = request(some("int64"))
    made.parameters["timeout"].int64_param = 2_000_000
    made.parameters["priority"].uint64_param = 1
    made.parameters["the client's own"].string_param = "x"
    made.parameters["of no kind"].SetInParent()
    output = made.outputs.add(name="x")
    output.parameters["classification"].int64_param = 2
    output.parameters["binary_data"].bool_param = False

    fitted = messages.fitted(made, model(two_d("int64")))

    assert fitted.items.timeout == 2
    assert [(one.name, one.classes, one.binary) for one in fitted.wanted] == [("x", 2, True)]


X = 'name: "x" datatype: "INT8" shape: [2, 3]'
RAW = 'raw_input_contents: "123456"'
OK = f"inputs {{ {X} }} {RAW}"
MANY = "".join(f'parameters {{ key: "{i}" value {{ int64_param: 1 }} }} ' for i in range(65))


def typed(contents: str) -> str:
    return f"inputs {{ {X} contents {{ {contents} }} }}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"inputs {{ {X} }}", "x: INT8 belongs in int_contents or in raw_input_contents; neither was set"),
        (typed("int_contents: [1, 1, 1, 1, 1, 1]") + RAW, "x has both contents and raw_input_contents"),
        (typed("int64_contents: [1, 1, 1, 1, 1, 1]"), "; int64_contents was set"),
        (typed("int_contents: [1, 1, 1, 1, 1, 1] fp32_contents: 1"), "; int_contents and fp32_contents was set"),
        (typed("int_contents: [1, 1, 1, 128, 1, 1]"), "x: Python integer 128 out of bounds for int8"),
        (typed("int_contents: [1, 1, 1, 1, 1]"), r"x: INT8 \[2, 3\] is 6 bytes, not 5"),
        (f"{OK} {RAW}", "1 inputs, but 2 raw_input_contents"),
        (OK.replace("123456", "12345"), r"x: INT8 \[2, 3\] is 6 bytes, not 5"),
        (f"{OK} {OK}", "2 inputs, but colours takes at most 1"),
        (f"{OK} {OK}" * 10_000, "20,000 inputs, but colours takes at most 1"),
        (OK.replace("[2, 3]", str([1] * 65)), "x: 65 dimensions or 0 parameters are too many"),
        (OK.replace("[2, 3]", "[2, 4]"), r"not \[2, 4\]"),
        (OK.replace("[2, 3]", "[-2, 3]"), r"not \[-2, 3\]"),
        (OK.replace("[2, 3]", "[]"), r"not \[\]"),
        (OK.replace("INT8", "FP32"), "x must be INT8, not FP32"),
        (OK.replace('"x"', '"y"'), "takes x, not y"),
        ("", "takes x, not nothing"),
        (f'{OK} outputs {{ name: "y" }}', "answers x, not y"),
        (f'{OK} outputs {{ name: "x" }} outputs {{ name: "x" }}', "2 outputs, but colours takes at most 1"),
        (f"{OK} {MANY}", "65 parameters, but colours takes at most 64"),
        (f'{OK} outputs {{ name: "x" {MANY} }}', "output x: 65 parameters are too many"),
        (f"inputs {{ {X} {MANY} }} {RAW}", "input x: 2 dimensions or 65 parameters are too many"),
        (
            f'{OK} outputs {{ name: "x" parameters {{ key: "classification" value {{ int64_param: -1 }} }} }}',
            "classification must be a number of classes, not -1",
        ),
        (
            f'{OK} parameters {{ key: "timeout" value {{ double_param: 1.5 }} }}',
            "timeout must be a non-negative whole number, not 1.5",
        ),
    ],
)
def test_what_is_wrong_is_named(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        messages.fitted(text_format.Parse(text, pb.ModelInferRequest()), model(two_d("int8")))


REGION = 'parameters { key: "shared_memory_region" value { string_param: "r" } }'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"inputs {{ {X} {REGION} }}", "input x: this server does not support shared memory"),
        (f'{OK} outputs {{ name: "x" {REGION} }}', "output x: this server does not support shared memory"),
        (f'{OK} parameters {{ key: "sequence_id" value {{ int64_param: 3 }} }}', "does not support sequences"),
    ],
)
def test_what_is_not_here_is_named(text: str, said: str) -> None:
    with pytest.raises(UnsupportedError, match=said):
        messages.fitted(text_format.Parse(text, pb.ModelInferRequest()), model(two_d("int8")))


def test_fp16_and_unknown_datatypes_have_no_contents() -> None:
    for datatype in ("FP16", "BF16", "uint8", ""):
        made = request(some("int8"), raw=False)
        made.inputs[0].datatype = datatype
        with pytest.raises(UsageError, match=f"{datatype} has no typed contents; use raw_input_contents"):
            messages.fitted(made, model(two_d("float16")))


def test_tritonclient_can_be_imported_beside_it() -> None:
    """It registers messages of these names where all of a process are kept."""
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("inference.ModelInferRequest")
