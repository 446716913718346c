"""What only tritonclient's gRPC clients have: compression, deadlines, callbacks and streams.

Runs in tritonclient's environment, against a running lit-serve.
"""

import queue
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tritonclient.utils import InferenceServerException

from tests.clients import right, triton_ways
from tests.clients.triton_calls import files, images
from tests.clients.triton_ways import Way

MANY = 20


@pytest.fixture(scope="module", params=["grpc", "grpc.aio"])
def way(request: pytest.FixtureRequest) -> Way:
    return triton_ways.way(request.param)


def check(answers: list[tuple[Any, Any]]) -> None:
    """Of a stream whose every fifth request names no model: in order, each with its answer or its error."""
    assert len(answers) == MANY
    for i, (result, error) in enumerate(answers):
        if i % 5 == 0:
            assert "no model nothing here" in error.message()
        else:
            assert error is None
            assert result.get_response().id == str(i)
            assert right.is_right(result.as_numpy("probabilities"))


def request(way: Way, number: int) -> dict[str, Any]:
    name = "colours" if number % 5 else "nothing"
    return {"model_name": name, "inputs": images(way), "request_id": str(number)}


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compression(way: Way, algorithm: str) -> None:
    result = way.infer("colours", images(way), compression_algorithm=algorithm)

    assert right.is_right(result.as_numpy("probabilities"))


def test_a_deadline_of_the_client(way: Way) -> None:
    long = files(way, *right.FILES[:1] * 1000)

    assert len(way.infer("colours", long, client_timeout=20).as_numpy("probabilities")) == 1000
    with pytest.raises(InferenceServerException) as raised:
        way.infer("colours", long, client_timeout=0.005)
    assert raised.value.status() == "StatusCode.DEADLINE_EXCEEDED"


def test_many_in_flight_by_callbacks() -> None:
    way = triton_ways.way("grpc")
    answers: queue.Queue[tuple[Any, Any]] = queue.Queue()

    for i in range(MANY):
        way.async_infer(**request(way, i), callback=lambda result, error: answers.put((result, error)))
    found = [answers.get(timeout=20) for _ in range(MANY)]

    check(_in_order(found))


def _in_order(found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Callbacks come as answers come: errors have no number, so they fill the gaps."""
    errors = iter([one for one in found if one[1]])
    numbered = {int(result.get_response().id): (result, None) for result, error in found if not error}
    return [numbered.get(i) or next(errors) for i in range(MANY)]


def test_a_stream() -> None:
    way = triton_ways.way("grpc")
    answers: queue.Queue[tuple[Any, Any]] = queue.Queue()

    way.start_stream(lambda result, error: answers.put((result, error)))
    for i in range(MANY):
        way.async_stream_infer(**request(way, i))
    found = [answers.get(timeout=20) for _ in range(MANY)]
    way.stop_stream()

    check(found)
    assert answers.empty()


def test_a_stream_by_asyncio() -> None:
    way = triton_ways.way("grpc.aio")

    async def requests() -> AsyncIterator[dict[str, Any]]:
        for i in range(MANY):
            yield request(way, i)

    async def story() -> list[tuple[Any, Any]]:
        return [answer async for answer in way.client.stream_infer(requests())]

    way.called.add("stream_infer")
    check(way.runner.run(story()))
