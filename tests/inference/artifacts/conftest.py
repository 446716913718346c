"""The loopback double of W&B's backend, and an empty folder registry."""

from pathlib import Path

import pytest

from lit_infer.artifacts.folder import FolderRegistry
from tests.inference.artifacts.publisher import Publisher
from tests.wandb_double.fixture import client, imported, wandb_server

__all__ = ["client", "imported", "wandb_server"]


@pytest.fixture
def registry(tmp_path: Path) -> FolderRegistry:
    """An empty folder registry."""
    return FolderRegistry(tmp_path / "registry")


@pytest.fixture
def publish(registry: FolderRegistry, tmp_path: Path) -> Publisher:
    """Publishes into it."""
    return Publisher(registry, tmp_path / "source")
