"""A proven tiny bundle, and the app over it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lit_infer.server.app import create_app
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import parse
from tests.support.server.client import Client
from tests.support.server.proven import make_proven


@pytest.fixture(scope="session")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model's bundle with golden answers. Read only."""
    return make_proven(tmp_path_factory.mktemp("served") / "colours")


@pytest.fixture(scope="module")
def repository(proven: Path) -> Iterator[Repository]:
    """The tiny model, open, as `colours` version 1."""
    opened = Repository(parse([str(proven)]), Opening(device="cpu"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(repository: Repository) -> Iterator[Client]:
    """Talks to the app without sockets."""
    opened = Client(create_app(repository))
    yield opened
    opened.close()
