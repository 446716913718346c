"""KServe's V1 protocol: instances in, predictions out."""

import base64
from typing import Any

import numpy as np
import pytest

from lit_infer.errors import UsageError
from lit_infer.manifest import Tensor
from lit_infer.server.http.v1 import items_of
from tests.inference.tiny import colour
from tests.support.server.client import Client
from tests.support.server.proven import expected
from tests.support.server.requests import assert_refused, png
from tests.support.server.tensor_models import model, two_d

PREDICT = "/v1/models/colours:predict"
PIXELS = colour("green", 200).tolist()
B64 = base64.b64encode(png("green", 200)).decode()


def test_models_are_listed_and_say_whether_they_are_ready(client: Client) -> None:
    assert client.get("/v1/models").json() == {"models": ["colours"]}
    assert client.get("/v1/models/colours").json() == {"name": "colours", "ready": True}
    assert_refused(client.get("/v1/models/none"), 404)
    assert_refused(client.post("/v1/models/none:predict", json={"instances": [B64]}), 404)


@pytest.mark.parametrize(
    "instance",
    [
        B64,
        {"b64": B64},
        {"image_bytes": {"b64": B64}},
        PIXELS,
        {"images": PIXELS},
    ],
    ids=["text", "b64", "image_bytes", "pixels", "named pixels"],
)
def test_each_instance_is_answered_with_its_row(client: Client, instance: Any) -> None:
    answer = client.post(PREDICT, json={"instances": [instance, instance]}).json()

    assert list(answer) == ["predictions"]
    assert np.allclose(answer["predictions"], expected(np.stack([colour("green", 200)] * 2)))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"instances": []}',
        b'{"instances": 7}',
        b'{"instances": [7]}',
        b'{"instances": [[[1]]]}',
        b'{"instances": [{"x": 1}]}',
        b'{"instances": ["!!"]}',
        b'{"instances": [[1], [1, 2]]}',
    ],
)
def test_what_is_no_instance_is_told(client: Client, body: bytes) -> None:
    assert_refused(client.post(PREDICT, content=body))


def test_a_model_of_several_inputs_takes_objects() -> None:
    described = model(two_d("float32", "a"), two_d("int64", "b"))
    rows = b'{"instances": [{"a": [1.5, 2, 3], "b": [1, 2, 3]}, {"b": [4, 5, 6], "a": [0, 0, 1]}]}'

    first, second = items_of(rows, described).arrays

    assert first.tolist() == [[1.5, 2, 3], [0, 0, 1]]
    assert second.tolist() == [[1, 2, 3], [4, 5, 6]]
    with pytest.raises(UsageError, match=r"instances\[0\] must have a, b, not a"):
        items_of(b'{"instances": [{"a": [1, 2, 3]}]}', described)


def test_a_row_is_the_only_input() -> None:
    described = model(Tensor(name="x", dtype="float32", shape=("batch", 2)))

    assert items_of(b'{"instances": [[1, 2], [3, 4]]}', described).arrays[0].tolist() == [[1, 2], [3, 4]]
