"""The protocol over HTTP: what a request looks like, and what is made of any answer."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from lit_infer.bench.served.address import parse
from lit_infer.bench.served.client import Credentials, ModelInfo
from lit_infer.bench.served.http_connection import LENGTH, HttpAnswer
from lit_infer.bench.served.over_http import HttpClient
from lit_infer.errors import EngineError, NotFoundError, UsageError
from tests.support.server.process import Server

CLIENT = HttpClient(parse("http://127.0.0.1:1"), Credentials(key="secret"))  # it connects when it is first used
MODEL = ModelInfo("a model/é", "3", "", (), (), None)


def answered(head: Any, *blobs: bytes) -> HttpAnswer:
    text = json.dumps(head).encode()
    return HttpAnswer(b"".join([text, *blobs]), len(text))


tensors = arrays.arrays(st.sampled_from([np.uint8, np.float32, np.int64]), arrays.array_shapes(max_dims=3))


@given(first=tensors, second=tensors)
def test_what_is_packed_describes_its_bytes_and_is_unpacked_the_same(first: NDArray[Any], second: NDArray[Any]) -> None:
    packed = CLIENT.pack(MODEL, {"a": first, "b": second})

    length = int(packed.headers[LENGTH])
    head = json.loads(packed.body[:length])
    assert [one["parameters"]["binary_data_size"] for one in head["inputs"]] == [first.nbytes, second.nbytes]
    assert head["parameters"] == {"binary_data_output": True}
    back = CLIENT.unpack(answered({"outputs": head["inputs"], "model_version": "3"}, packed.body[length:]))
    assert back.version == "3"
    for name, array in (("a", first), ("b", second)):
        assert back.outputs[name].dtype == array.dtype
        np.testing.assert_array_equal(back.outputs[name], array)


def test_a_request_names_model_and_version_safely_and_carries_the_key() -> None:
    packed = CLIENT.pack(MODEL, {"images": [b"jpeg"]})

    assert packed.path == "/v2/models/a%20model%2F%C3%A9/versions/3/infer"
    assert packed.headers["Authorization"] == "Bearer secret"


SCORES = {"name": "scores", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": 8}}


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (HttpAnswer(b"{}", None), "did not answer in binary"),
        (HttpAnswer(b"{}", 3), "did not answer in binary"),
        (answered([]), "does not speak the Open Inference Protocol v2"),
        (HttpAnswer(b"\xff\xff", 2), "does not speak the Open Inference Protocol v2"),
        (HttpAnswer(b"[" * 100_000, 100_000), "does not speak the Open Inference Protocol v2"),
        (answered({"outputs": [SCORES]}, b"1234"), "scores does not fit its own shape"),
        (answered({"outputs": [{**SCORES, "parameters": {}}]}), "scores does not fit its own shape"),
        (
            answered({"outputs": [{**SCORES, "parameters": {"binary_data_size": -4}}]}),
            "scores does not fit its own shape",
        ),
    ],
)
def test_an_answer_that_is_not_the_protocol_s_is_an_error(answer: HttpAnswer, says: str) -> None:
    with pytest.raises(EngineError, match=says):
        CLIENT.unpack(answer)


def test_a_server_tells_its_models_and_what_they_take(server: Server) -> None:
    client = HttpClient(parse(server.url), Credentials())

    assert client.server().name == "lit-serve"
    assert client.models() == ["colours"]
    found = client.model("colours", "")
    assert [tensor.name for tensor in found.inputs] == ["images"]
    assert found.max_batch is not None
    with pytest.raises(NotFoundError, match="nothing"):
        client.model("nothing", "")
    client.close()


def test_certificates_that_cannot_be_read_are_named() -> None:
    with pytest.raises(UsageError, match=r"--ca nowhere\.pem: No such file or directory"):
        HttpClient(parse("https://127.0.0.1:1"), Credentials(ca=Path("nowhere.pem")))
