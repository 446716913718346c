"""ModelStreamInfer: one answer for each request, in their order, errors in their place."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from lit_infer.server.grpc import inference_pb2 as pb
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import parse
from lit_infer.server.settings import Settings
from tests.inference.tiny import LABELS, colour
from tests.support.server.proven import expected
from tests.support.server.rig import Rig, asked, probabilities, until

METHOD = "ModelStreamInfer"


def image(place: int) -> Any:
    return colour(LABELS[place % 3], 50 + place)[None]


def answers(rig: Rig, requests: Iterator[Any]) -> list[pb.ModelStreamInferResponse]:
    async def story() -> list[Any]:
        return [answer async for answer in rig.start(METHOD, requests)]

    return rig.run(story())


def test_many_requests_are_answered_in_their_order(rig: Rig) -> None:
    rows = [1 + place % 20 for place in range(100)]  # they take different times
    found = answers(rig, (asked(np.concatenate([image(i)] * n), id=str(i)) for i, n in enumerate(rows)))

    assert [one.infer_response.id for one in found] == [str(i) for i in range(100)]
    for place, one in enumerate(found):
        assert one.error_message == ""
        assert one.infer_response.parameters["triton_final_response"].bool_param
        assert np.allclose(probabilities(one.infer_response), expected(image(place)))


def test_an_error_stands_in_its_place_and_the_stream_goes_on(rig: Rig) -> None:
    rig.logged.clear()
    requests = [asked(image(1), id="a"), asked(image(1), id="b", model_name="none"), b"\xff", asked(image(2), id="d")]

    found = answers(rig, iter(requests))

    assert [one.infer_response.id for one in found] == ["a", "b", "", "d"]
    assert [bool(one.error_message) for one in found] == [False, True, True, False]
    assert "no model none" in found[1].error_message
    assert found[1].infer_response.model_name == "none"
    assert np.allclose(probabilities(found[3].infer_response), expected(image(2)))
    assert sorted(line.status for line in rig.logged) == [200, 200, 200, 400, 404]


def test_requests_of_one_stream_share_a_batch(proven: Path) -> None:
    repository = Repository(parse([str(proven)]), Opening(device="cpu", max_batch=8, max_delay=5.0))
    rig = Rig(repository)

    found = answers(rig, (asked(image(i)) for i in range(16)))

    assert len(found) == 16
    assert repository.slots[0].stats.executions == 2
    rig.close()
    repository.close()


@pytest.fixture
def slow(proven: Path) -> Iterator[Repository]:
    """A repository whose batches wait for company."""
    opened = Repository(parse([str(proven)]), Opening(device="cpu", max_batch=64, max_delay=0.3))
    yield opened
    opened.close()


async def open_ended(*requests: Any) -> AsyncIterator[Any]:
    """Requests, and no end of them."""
    for request in requests:
        yield request
    await asyncio.Event().wait()


def test_a_client_that_leaves_is_dropped_before_inference(slow: Repository) -> None:
    rig, slot = Rig(slow), slow.slots[0]

    async def story() -> None:
        call = rig.start(METHOD, open_ended(*(asked(image(i)) for i in range(40))))
        await until(lambda: slot.served is not None and slot.served.runner.waiting == 32)  # no more are read ahead
        call.cancel()
        await until(lambda: slot.stats.failures["CANCELED"] == 32)

    rig.run(story())

    assert slot.stats.executions == 0
    rig.close()


def test_when_the_server_stops_what_was_read_is_answered_and_the_stream_ends(slow: Repository) -> None:
    rig, slot = Rig(slow), slow.slots[0]

    async def story() -> tuple[list[Any], grpc.StatusCode, str]:
        call = rig.start(METHOD, open_ended(*(asked(image(i), id=str(i)) for i in range(3))))
        await until(lambda: slot.served is not None and slot.served.runner.waiting == 3)
        stopping = asyncio.ensure_future(rig.server.stop(20))
        found = [await call.read() for _ in range(3)]
        told = await call.code(), await call.details()
        await stopping
        return [one.infer_response.id for one in found], *told

    assert rig.run(story()) == (["0", "1", "2"], grpc.StatusCode.UNAVAILABLE, "the server is stopping")
    rig.close()


def test_a_stream_on_which_nothing_comes_is_ended(repository: Repository) -> None:
    rig = Rig(repository, Settings(stream_timeout=0.2))

    async def story() -> tuple[Any, grpc.StatusCode, str]:
        call = rig.start(METHOD, open_ended(asked(image(0))))
        answer = await call.read()
        return answer.error_message, await call.code(), await call.details()

    assert rig.run(story()) == ("", grpc.StatusCode.DEADLINE_EXCEEDED, "no message arrived within 0.2 s")
    rig.close()
