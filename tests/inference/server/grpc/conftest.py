"""The tiny model over gRPC."""

from collections.abc import Iterator

import pytest

from lit_infer.server.repository import Repository
from tests.inference.server.grpc.rig import Rig


@pytest.fixture(scope="module")
def rig(repository: Repository) -> Iterator[Rig]:
    """Its server and a channel to it."""
    opened = Rig(repository)
    yield opened
    opened.close()
