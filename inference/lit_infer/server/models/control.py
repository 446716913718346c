"""Loading and unloading of models by clients, if the server allows it. Shared by HTTP and gRPC."""

import asyncio
from collections.abc import Mapping
from typing import Any

from lit_infer.errors import UsageError
from lit_infer.server.errors import UnsupportedError
from lit_infer.server.models.repository import Repository
from lit_infer.server.settings import Settings


async def load(repository: Repository, settings: Settings, name: str, parameters: Mapping[str, Any]) -> None:
    """Open a model. Raises UsageError if that is not allowed, NotFoundError, and what opening raises."""
    _check(settings)
    if parameters:
        raise UnsupportedError("load takes no parameters: models are loaded as they were when the server started")
    await asyncio.to_thread(repository.load, name)


async def unload(repository: Repository, settings: Settings, name: str) -> None:
    """Close a model once its accepted requests are answered. Raises UsageError if not allowed, and NotFoundError."""
    _check(settings)
    await asyncio.to_thread(repository.unload, name)


def _check(settings: Settings) -> None:
    if not settings.explicit_control:
        raise UsageError("clients may not load or unload models here: start the server with --model-control explicit")
