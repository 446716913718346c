"""By when a call must have got on. All are looked at twice a second, which costs a call nothing but a note."""

import asyncio
import time
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")

_LOOK_S = 0.5


class Deadlines:
    """Of the tasks of one event loop."""

    def __init__(self) -> None:
        self._moments: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()

    async def meet(self, awaitable: Awaitable[T], within: float) -> T:
        """What it gives. Raises TimeoutError, up to half a second late."""
        task = asyncio.current_task()
        assert task is not None, "called from a coroutine"  # noqa: S101
        self._moments[task] = time.monotonic() + within
        try:
            return await awaitable
        except asyncio.CancelledError:
            if task not in self._late:
                raise
            task.uncancel()
            raise TimeoutError from None
        finally:
            self._late.discard(task)
            self._moments.pop(task, None)

    def pass_now(self, task: asyncio.Task[Any]) -> None:
        """The moment of a task that is in `meet` has come."""
        if task in self._moments:
            self._late.add(task)
            task.cancel()

    async def watch(self) -> None:
        """For as long as calls are taken."""
        while True:
            await asyncio.sleep(_LOOK_S)
            now = time.monotonic()
            for task, moment in list(self._moments.items()):
                if moment < now:
                    self.pass_now(task)
