"""grpc.health.v1, as probes and balancing clients ask it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from lit_infer.server.grpc import health
from lit_infer.server.grpc.service import SERVICE
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import parse
from tests.support.server.rig import Rig

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING
NAMES = ("", SERVICE, "colours")


@pytest.fixture
def own(proven: Path) -> Iterator[Repository]:
    """A repository whose state may be changed."""
    opened = Repository(parse([str(proven)]), Opening(device="cpu"))
    yield opened
    opened.close()


def states(rig: Rig) -> list[int]:
    return [rig.ask("Check", HealthCheckRequest(service=name)).status for name in NAMES]


def test_the_server_and_each_model_have_a_state(own: Repository) -> None:
    rig = Rig(own)

    before = states(rig)
    own.unload("colours")
    unloaded = states(rig)
    own.load("colours")
    own.drain()
    draining = states(rig)

    assert before == [SERVING] * 3
    assert unloaded == [SERVING, SERVING, NOT_SERVING]  # as it was asked to be
    assert draining == [NOT_SERVING] * 3
    rig.close()


def test_what_is_unknown_is_not_found(rig: Rig) -> None:
    error = rig.refused("Check", HealthCheckRequest(service="none"))

    assert error.code() == grpc.StatusCode.NOT_FOUND


def test_a_watcher_is_told_of_every_change_until_the_server_stops(
    own: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_LOOK_S", 0.01)
    rig = Rig(own)

    async def story() -> list[int]:
        watch = rig.start("Watch", HealthCheckRequest(service="colours"))
        told = [(await watch.read()).status]
        await asyncio.to_thread(own.unload, "colours")
        told.append((await watch.read()).status)
        await asyncio.to_thread(own.load, "colours")
        told.append((await watch.read()).status)
        own.drain()
        told.append((await watch.read()).status)
        await rig.server.stop(10)
        assert await watch.read() is grpc.aio.EOF
        return told

    assert rig.run(story()) == [SERVING, NOT_SERVING, SERVING, NOT_SERVING]
    rig.close()


def test_watchers_are_few_and_an_unknown_service_can_be_watched(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_MOST_WATCHERS", 2)

    async def story() -> tuple[list[int], grpc.StatusCode, int]:
        watches = [rig.start("Watch", HealthCheckRequest(service="none")) for _ in range(2)]
        told = [(await watch.read()).status for watch in watches]
        refused = await rig.start("Watch", HealthCheckRequest()).code()
        watches[0].cancel()
        while await (again := rig.start("Watch", HealthCheckRequest())).read() is grpc.aio.EOF:
            pass
        for watch in (watches[1], again):
            watch.cancel()
        return told, refused, len(watches)

    told, refused, _ = rig.run(story())

    assert told == [HealthCheckResponse.SERVICE_UNKNOWN] * 2
    assert refused == grpc.StatusCode.RESOURCE_EXHAUSTED
