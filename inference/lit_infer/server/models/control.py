"""Models loaded and unloaded by clients, where the server's owner allows it. Shared by all protocols."""

import asyncio
from collections.abc import Mapping
from typing import Any

from lit_infer.errors import UsageError
from lit_infer.server.errors import UnsupportedError
from lit_infer.server.models.repository import Repository
from lit_infer.server.settings import Settings


async def load(repository: Repository, settings: Settings, name: str, parameters: Mapping[str, Any]) -> None:
    """Open a model. Raises UsageError where that is not allowed, NotFoundError, and what opening raises."""
    _check(settings)
    if parameters:
        raise UnsupportedError("a model is loaded as the server was started with it; load takes no parameters")
    await asyncio.to_thread(repository.load, name)


async def unload(repository: Repository, settings: Settings, name: str) -> None:
    """Close a model after what it has accepted. Raises UsageError where that is not allowed, and NotFoundError."""
    _check(settings)
    await asyncio.to_thread(repository.unload, name)


def _check(settings: Settings) -> None:
    if not settings.explicit_control:
        raise UsageError("models are loaded and unloaded only where the server runs with --model-control explicit")
