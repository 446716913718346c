import asyncio
from concurrent.futures import Future

import pytest

from lit_infer.batching import streaming


def test_batches_are_answered_in_their_order_whatever_finishes_first() -> None:
    started: list[tuple[list[int], Future[list[int]]]] = []

    def start(batch: list[int]) -> Future[list[int]]:
        started.append((batch, Future()))
        if len(started) == 3:  # the last to start is the first to finish
            for numbers, future in reversed(started):
                future.set_result([-number for number in numbers])
        return started[-1][1]

    found = list(streaming.in_order(iter(range(5)), 2, start, ahead=2))

    assert found == [0, -1, -2, -3, -4]
    assert [batch for batch, _ in started] == [[0, 1], [2, 3], [4]]


def test_closed_early_it_cancels_what_has_not_begun() -> None:
    started: list[Future[list[int]]] = []

    def start(batch: list[int]) -> Future[list[int]]:
        started.append(Future())
        if len(started) == 3:
            started[0].set_result(batch)
        return started[-1]

    stream = streaming.in_order(iter(range(100)), 1, start, ahead=2)
    next(stream)
    stream.close()

    assert [future.cancelled() for future in started] == [False, True, True]


def test_from_asyncio_no_more_than_so_many_are_under_way() -> None:
    waiting: list[Future[int]] = []

    def start(item: int) -> Future[int]:
        future: Future[int] = Future()
        waiting.append(future)
        assert sum(not one.done() for one in waiting) <= 3
        asyncio.get_running_loop().call_soon(future.set_result, -item)
        return future

    assert asyncio.run(streaming.gather(range(10), start, most=3)) == [-item for item in range(10)]


def test_from_asyncio_the_first_error_cancels_the_rest() -> None:
    waiting: list[Future[int]] = []

    def start(item: int) -> Future[int]:
        waiting.append(Future())
        if item == 0:
            waiting[0].set_exception(ValueError("bad"))
        return waiting[-1]

    with pytest.raises(ValueError, match="bad"):
        asyncio.run(streaming.gather(range(3), start, most=3))
    assert [future.cancelled() for future in waiting] == [False, True, True]
