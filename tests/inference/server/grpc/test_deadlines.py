"""A deadline ends what a task waits for, and nothing else does."""

import asyncio

import pytest

from lit_infer.server.grpc.deadlines import Deadlines


async def never() -> None:
    await asyncio.Event().wait()


def test_what_comes_in_time_is_returned() -> None:
    async def come() -> str:
        await asyncio.sleep(0)
        return "here"

    async def story() -> str:
        return await Deadlines().meet(come(), 60)

    assert asyncio.run(story()) == "here"


def test_a_deadline_that_passes_is_a_timeout_and_the_task_goes_on() -> None:
    async def story() -> str:
        deadlines = Deadlines()
        watching = asyncio.ensure_future(deadlines.watch())
        with pytest.raises(TimeoutError):
            await deadlines.meet(never(), 0)
        watching.cancel()
        return "went on"

    assert asyncio.run(story()) == "went on"


def test_a_deadline_can_be_passed_at_once() -> None:
    async def story() -> None:
        deadlines = Deadlines()
        task = asyncio.ensure_future(deadlines.meet(never(), 60))
        await asyncio.sleep(0)
        deadlines.pass_now(task)
        with pytest.raises(TimeoutError):
            await task
        deadlines.pass_now(task)  # it waits for nothing any more

    asyncio.run(story())


def test_a_task_that_somebody_else_cancels_is_cancelled() -> None:
    async def story() -> None:
        task = asyncio.ensure_future(Deadlines().meet(never(), 60))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())
