"""What only tritonclient's HTTP clients have: JSON tensors, compression, bodies by hand, requests in flight.

Runs in tritonclient's environment, against a running lit-serve.
"""

import asyncio
import os
import urllib.request
from typing import Any

import numpy as np
import pytest

from tests.clients import right, triton_ways
from tests.clients.triton_calls import images, pair
from tests.clients.triton_ways import Way


@pytest.fixture(scope="module", params=["http", "http.aio"])
def way(request: pytest.FixtureRequest) -> Way:
    return triton_ways.way(request.param)


def in_json(way: Way, name: str, array: Any, datatype: str) -> Any:
    return way.module.InferInput(name, list(array.shape), datatype).set_data_from_numpy(array, binary_data=False)


@pytest.mark.parametrize("binary", [False, True])
def test_json_tensors(way: Way, binary: bool) -> None:
    inputs = [in_json(way, "x", right.X, "FP32"), in_json(way, "y", right.Y, "FP32")]

    result = way.infer("pair", inputs, outputs=[way.wanted("sum", binary_data=binary)])

    assert np.array_equal(result.as_numpy("sum"), right.X + right.Y)
    assert ("data" in result.get_output("sum")) != binary


def test_one_output_binary_and_one_in_json(way: Way) -> None:
    outputs = [way.wanted("sum", binary_data=False), way.wanted("difference", binary_data=True)]

    result = way.infer("pair", [in_json(way, "x", right.X, "FP32"), pair(way)[1]], outputs=outputs)

    assert np.array_equal(result.as_numpy("sum"), right.X + right.Y)
    assert np.array_equal(result.as_numpy("difference"), right.X - right.Y)


def test_classification_in_json(way: Way) -> None:
    outputs = [way.wanted("probabilities", binary_data=False, class_count=2)]

    texts = way.infer("colours", images(way), "2", outputs=outputs).as_numpy("probabilities")

    assert right.classes_are_right(texts, version=2)


@pytest.mark.parametrize("answer", [None, "gzip", "deflate"])
@pytest.mark.parametrize("request_", [None, "gzip", "deflate"])
def test_compression(way: Way, request_: str | None, answer: str | None) -> None:
    compressed = {"request_compression_algorithm": request_, "response_compression_algorithm": answer}

    result = way.infer("colours", images(way), **compressed)

    assert right.is_right(result.as_numpy("probabilities"))


def test_a_body_made_and_an_answer_read_by_hand(way: Way) -> None:
    body, length = way.generate_request_body(images(way))
    url = f"http://{os.environ['LIT_TEST_HTTP']}/v2/models/colours/infer"
    asked = urllib.request.Request(url, body, {"Inference-Header-Content-Length": str(length)})

    with urllib.request.urlopen(asked) as answer:  # noqa: S310
        header_length = int(answer.headers["Inference-Header-Content-Length"])
        result = way.parse_response_body(answer.read(), header_length=header_length)

    assert right.is_right(result.as_numpy("probabilities"))


def test_many_in_flight_by_greenlets() -> None:
    way = triton_ways.way("http")

    asked = [way.async_infer("colours", images(way), request_id=str(i)) for i in range(20)]

    for i, one in enumerate(asked):
        result = one.get_result(timeout=20)
        assert result.get_response()["id"] == str(i)
        assert right.is_right(result.as_numpy("probabilities"))


def test_many_in_flight_by_asyncio() -> None:
    way = triton_ways.way("http.aio")

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(*(way.client.infer("colours", images(way), request_id=str(i)) for i in range(20)))

    for i, result in enumerate(way.runner.run(all_at_once())):
        assert result.get_response()["id"] == str(i)
        assert right.is_right(result.as_numpy("probabilities"))
