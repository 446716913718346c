"""KServe's clients, REST and gRPC, every call. Runs in KServe's environment, against a running lit-serve."""

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, InferResponse, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

from tests.clients import right

URL = f"http://{os.environ['LIT_TEST_HTTP']}"
OF_THE_CLIENT_ALONE = {"close"}
OF_THE_OLD_PROTOCOL = {"explain"}


class Way:
    """One of the two clients, both of asyncio, with the calls that were made."""

    def __init__(self, name: str) -> None:
        self.is_grpc = name == "grpc"
        self.runner = asyncio.Runner()
        self.client = self.runner.run(self._made())
        self.called: set[str] = set()

    async def _made(self) -> Any:
        if self.is_grpc:
            return InferenceGRPCClient(os.environ["LIT_TEST_GRPC"])
        return InferenceRESTClient(RESTConfig(protocol="v2"))

    def call(self, name: str, *arguments: Any, **named: Any) -> Any:
        self.called.add(name)
        where = () if self.is_grpc else (URL,)
        return self.runner.run(getattr(self.client, name)(*where, *arguments, **named))

    def infer(self, request: InferRequest) -> InferResponse:
        return self.call("infer", request, **({} if self.is_grpc else {"model_name": request.model_name}))

    def refused(self, request: InferRequest) -> tuple[str, str]:
        """The status and the server's text, as the client raises them."""
        with pytest.raises((httpx.HTTPStatusError, grpc.RpcError)) as raised:
            self.infer(request)
        error = raised.value
        if self.is_grpc:
            return error.code().name, error.details()
        return str(error.response.status_code), str(error)


@pytest.fixture(scope="module", params=["rest", "grpc"])
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    opened = Way(request.param)
    yield opened
    opened.runner.run(opened.client.close())


def tensor(name: str, array: np.ndarray, datatype: str, *, binary: bool = True) -> InferInput:
    made = InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array, binary_data=binary)
    return made


def images(**more: Any) -> InferRequest:
    return InferRequest("colours", [tensor("images", right.IMAGES, "UINT8")], **more)


def pair(*, binary: bool, **more: Any) -> InferRequest:
    inputs = [tensor("x", right.X, "FP32", binary=binary), tensor("y", right.Y, "FP32", binary=binary)]
    return InferRequest("pair", inputs, **more)


def output(response: InferResponse, name: str) -> np.ndarray:
    found: np.ndarray = response.get_output_by_name(name).as_numpy()
    return found


def test_health(way: Way) -> None:
    assert way.call("is_server_live") is True
    assert way.call("is_server_ready") is True
    assert way.call("is_model_ready", "colours") is True


def test_a_model_that_is_not_there_is_not_ready(way: Way) -> None:
    if way.is_grpc:
        with pytest.raises(grpc.RpcError, match="no model nobody here"):
            way.call("is_model_ready", "nobody")
    else:
        assert way.call("is_model_ready", "nobody") is False


@pytest.mark.parametrize("binary", [False, True])
def test_tensors(way: Way, binary: bool) -> None:
    response = way.infer(pair(binary=binary, request_id="seven"))

    assert (response.id, response.model_name) == ("seven", "pair")
    assert np.array_equal(output(response, "sum"), right.X + right.Y)
    assert np.array_equal(output(response, "difference"), right.X - right.Y)


def test_an_array_as_data(way: Way) -> None:
    response = way.infer(InferRequest("colours", [InferInput("images", [3, 8, 8, 3], "UINT8", data=right.IMAGES)]))

    assert right.is_right(output(response, "probabilities"))


def test_image_files(way: Way) -> None:
    files = tensor("images", np.array(right.FILES, dtype=np.object_), "BYTES")

    assert right.is_right(output(way.infer(InferRequest("colours", [files])), "probabilities"))


def test_binary_answers(way: Way) -> None:
    response = way.infer(images(parameters={"binary_data_output": True}))

    assert right.is_right(output(response, "probabilities"))


def test_the_outputs_that_are_asked_for(way: Way) -> None:
    wanted = [RequestedOutput("difference"), RequestedOutput("sum")]

    response = way.infer(pair(binary=True, request_outputs=wanted))

    assert [one.name for one in response.outputs] == ["difference", "sum"]
    assert np.array_equal(output(response, "difference"), right.X - right.Y)


def test_classification(way: Way) -> None:
    wanted = [RequestedOutput("probabilities", parameters={"classification": 2})]

    texts = output(way.infer(images(request_outputs=wanted)), "probabilities")

    assert right.classes_are_right(texts, version=2)


def test_a_timeout_of_the_server(way: Way) -> None:
    assert right.is_right(output(way.infer(images(parameters={"timeout": 5_000_000})), "probabilities"))
    assert "timeout" in way.refused(images(parameters={"timeout": 1}))[1]


def test_errors(way: Way) -> None:
    nobody = InferRequest("nobody", images().inputs)
    narrow = InferRequest("colours", [tensor("images", right.IMAGES[:, :, :7], "UINT8")])
    broken = InferRequest("colours", [tensor("images", np.array([b"text"], dtype=np.object_), "BYTES")])

    status, text = way.refused(nobody)
    assert status in ("404", "NOT_FOUND")
    assert "no model nobody here" in text
    for request, said in ((narrow, "not [3, 8, 7, 3]"), (broken, "not an image")):
        status, text = way.refused(request)
        assert status in ("400", "INVALID_ARGUMENT")
        assert said in text


def test_every_call_of_the_client_was_tried(way: Way) -> None:
    calls = {call for call in dir(way.client) if not call.startswith("_")}

    assert calls - OF_THE_CLIENT_ALONE - OF_THE_OLD_PROTOCOL == way.called
