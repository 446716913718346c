"""Rare calls do not wait; calls in quick succession start together."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from lit_infer.server.grpc.gathering import Gate


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose clock the test sets."""

    now = 1000.0

    def time(self) -> float:
        return self.now


def run(story: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(story)


async def after(seconds: float) -> None:
    """Set the clock, and let everything happen that is due."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Loop)
    loop.now += seconds
    for _ in range(3):
        await asyncio.sleep(0)


def test_calls_in_quick_succession_wait_and_start_together() -> None:
    async def story() -> None:
        gate = Gate()
        calls = [asyncio.ensure_future(gate.passed()) for _ in range(200)]
        await after(0)
        passed, held = [call for call in calls if call.done()], [call for call in calls if not call.done()]
        assert 0 < len(passed) < 200
        assert passed == calls[: len(passed)]  # the gate had not noticed yet

        await after(0.0005)
        assert not any(call.done() for call in held)
        held[0].cancel()  # a client that leaves delays nobody
        await after(0.001)

        assert [call.cancelled() for call in held] == [True] + [False] * (len(held) - 1)
        assert all(call.done() for call in held)

    run(story())


def test_rare_calls_pass_at_once_also_after_busy_times() -> None:
    async def story() -> None:
        gate = Gate()
        busy = [asyncio.ensure_future(gate.passed()) for _ in range(200)]
        await after(0)
        await after(0.001)
        assert all(call.done() for call in busy)

        for _ in range(3):
            await after(0.012)
            rare = asyncio.ensure_future(gate.passed())
            await after(0)
            assert rare.done()

    run(story())
