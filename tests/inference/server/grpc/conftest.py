"""The tiny model over gRPC."""

import gc
from collections.abc import Iterator

import pytest

from lit_infer.server.models.repository import Repository
from tests.support.server.rig import Rig


@pytest.fixture(scope="module", autouse=True)
def nothing_of_grpc_is_left() -> Iterator[None]:
    """Collected later, in a fork of another test, what is left of a server would wait for its thread for ever."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def rig(repository: Repository) -> Iterator[Rig]:
    """Its server and a channel to it."""
    opened = Rig(repository)
    yield opened
    opened.close()
