"""Rare calls do not wait; thick ones begin together."""

import asyncio

from lit_infer.server.grpc.gathering import Gate


def test_thick_calls_wait_for_each_other_and_rare_ones_do_not() -> None:
    async def story() -> None:
        gate = Gate()
        calls = [asyncio.ensure_future(gate.passed()) for _ in range(200)]
        await asyncio.sleep(0)
        passed, held = [call for call in calls if call.done()], [call for call in calls if not call.done()]
        assert passed == calls[: len(passed)]  # before it was known that they come thick
        assert held
        held[0].cancel()  # a client that leaves holds nobody up
        await asyncio.wait(held)
        assert [call.cancelled() for call in held] == [True] + [False] * (len(held) - 1)
        for _ in range(20):
            await asyncio.sleep(0.012)
            await gate.passed()
        rare = asyncio.ensure_future(gate.passed())
        await asyncio.sleep(0)
        assert rare.done()

    asyncio.run(story())
