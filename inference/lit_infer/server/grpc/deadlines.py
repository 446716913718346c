"""Deadlines of calls. All are checked twice a second, so a call pays only for setting its own."""

import asyncio
import time
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")

_LOOK_S = 0.5


class Deadlines:
    """The deadlines of one event loop's tasks."""

    def __init__(self) -> None:
        self._deadlines: dict[asyncio.Task[Any], float] = {}
        self._overdue: set[asyncio.Task[Any]] = set()

    async def meet(self, awaitable: Awaitable[T], within: float) -> T:
        """Await it. Raises TimeoutError, up to half a second late."""
        task = asyncio.current_task()
        assert task is not None, "called from a coroutine"  # noqa: S101
        self._deadlines[task] = time.monotonic() + within
        try:
            return await awaitable
        except asyncio.CancelledError:
            if task not in self._overdue:
                raise
            task.uncancel()
            raise TimeoutError from None
        finally:
            self._overdue.discard(task)
            self._deadlines.pop(task, None)

    def pass_now(self, task: asyncio.Task[Any]) -> None:
        """Let the deadline of a task that is in `meet` pass now."""
        if task in self._deadlines:
            self._overdue.add(task)
            task.cancel()

    async def watch(self) -> None:
        """Check the deadlines for as long as calls are accepted."""
        while True:
            await asyncio.sleep(_LOOK_S)
            now = time.monotonic()
            for task, deadline in list(self._deadlines.items()):
                if deadline < now:
                    self.pass_now(task)
