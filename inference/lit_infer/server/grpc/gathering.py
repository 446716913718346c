"""Calls in quick succession start together, as network cards group packets: each alone would wake a worker."""

import asyncio

_HOLD_S = 0.001
_WEIGHT = 1 / 16
_LONG_S = 0.01


class Gate:
    """Lets rare calls pass at once; while more than two arrive per millisecond, lets them pass once per millisecond."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []
        self._last = 0.0
        self._gap = _LONG_S
        """The time from a call to the next one, smoothed."""

    async def passed(self) -> None:
        """Return when the call may begin."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._gap += _WEIGHT * (min(now - self._last, _LONG_S) - self._gap)
        self._last = now
        if self._gap > _HOLD_S / 2:
            return
        if not self._waiting:
            loop.call_later(_HOLD_S, self._open)
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _open(self) -> None:
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            if not turn.done():  # otherwise its client has left
                turn.set_result(None)
