"""Clients load and unload models only if the server allows it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from lit_infer.errors import NotFoundError, UsageError
from lit_infer.server.errors import UnsupportedError
from lit_infer.server.models import control
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import parse
from lit_infer.server.settings import Settings
from tests.support.server.engine import CPU

ALLOWED = Settings(explicit_control=True)


@pytest.fixture
def own(proven: Path) -> Iterator[Repository]:
    opened = Repository(parse([str(proven)]), CPU)
    yield opened
    opened.close()


def test_a_model_is_unloaded_and_loaded_again(own: Repository) -> None:
    asyncio.run(control.unload(own, ALLOWED, "colours"))
    assert [(slot.state, slot.reason) for slot in own.slots] == [("UNAVAILABLE", "unloaded")]

    asyncio.run(control.load(own, ALLOWED, "colours", {}))
    assert [slot.state for slot in own.slots] == ["READY"]


def test_without_permission_nothing_changes(repository: Repository) -> None:
    for call in (
        control.load(repository, Settings(), "colours", {}),
        control.unload(repository, Settings(), "colours"),
    ):
        with pytest.raises(UsageError, match="start the server with --model-control explicit"):
            asyncio.run(call)
    assert repository.is_ready()


def test_only_models_of_the_server_are_loaded_and_only_as_they_were(repository: Repository) -> None:
    with pytest.raises(NotFoundError, match="no model none here"):
        asyncio.run(control.load(repository, ALLOWED, "none", {}))
    with pytest.raises(NotFoundError, match="no model none here"):
        asyncio.run(control.unload(repository, ALLOWED, "none"))
    with pytest.raises(UnsupportedError, match="load takes no parameters"):
        asyncio.run(control.load(repository, ALLOWED, "colours", {"config": "{}"}))
