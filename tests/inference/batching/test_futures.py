"""A future of our own that behaves as the standard library's, which most of it is."""

import asyncio
import threading
from concurrent.futures import CancelledError, Future, as_completed, wait
from typing import Any

import pytest

from lit_infer.batching.futures import QuickFuture


def test_it_has_the_fields_that_the_standard_librarys_has() -> None:
    ours, theirs = vars(QuickFuture()), vars(Future())
    assert {name: value for name, value in ours.items() if name != "_condition"} == {
        name: value for name, value in theirs.items() if name != "_condition"
    }
    assert ours.keys() == theirs.keys()


@pytest.mark.parametrize("waiters", [1, 5])
def test_all_who_wait_are_told(waiters: int) -> None:
    future, told, waiting = QuickFuture[int](), [], threading.Barrier(waiters + 1)

    def wait_for_it() -> None:
        waiting.wait(10)
        told.append(future.result(10))

    threads = [threading.Thread(target=wait_for_it) for _ in range(waiters)]
    for thread in threads:
        thread.start()
    waiting.wait(10)
    future.set_result(7)
    for thread in threads:
        thread.join()

    assert told == [7] * waiters
    assert future.result(0) == 7


def test_a_result_that_is_settled_wakes_nobody_until_the_locks_are_released() -> None:
    future, told = QuickFuture[int](), []
    thread = threading.Thread(target=lambda: told.append(future.result(10)))
    thread.start()
    while not (sleepers := future.settle(7) if future._condition._sleepers else []):
        thread.join(0.001)

    assert future.result(0) == 7
    assert told == []
    for sleeper in sleepers:
        sleeper.release()
    thread.join()
    assert told == [7]


def test_each_of_many_pairs_meets_exactly_once() -> None:
    futures = [QuickFuture[int]() for _ in range(2000)]

    def settle() -> None:
        for i, future in enumerate(futures):
            for sleeper in future.settle(i) if i % 2 else []:
                sleeper.release()
            if not i % 2:
                future.set_result(i)

    setter = threading.Thread(target=settle)
    setter.start()

    assert [future.result(10) for future in futures] == list(range(2000))
    setter.join()


@pytest.mark.parametrize("timeout", [-1, 0, 0.01])
def test_who_has_waited_long_enough_is_told_so_and_may_come_again(timeout: float) -> None:
    future = QuickFuture[int]()

    for _ in range(3):
        with pytest.raises(TimeoutError):
            future.result(timeout)
    assert future._condition._sleepers == []
    future.set_exception(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        future.result(timeout)


def test_it_is_cancelled_like_any_other() -> None:
    future, seen = QuickFuture[int](), []
    future.add_done_callback(seen.append)

    assert future.cancel()
    assert not future.set_running_or_notify_cancel()
    with pytest.raises(CancelledError):
        future.result()
    assert seen == [future]


def test_the_standard_librarys_ways_to_wait_know_it() -> None:
    mixed: list[Future[Any]] = [QuickFuture(), Future(), QuickFuture()]
    threading.Timer(0.02, lambda: [future.set_result(1) for future in mixed]).start()

    assert len(list(as_completed(mixed, timeout=10))) == 3
    assert wait(mixed).not_done == set()


def test_asyncio_awaits_it() -> None:
    async def story() -> int:
        future = QuickFuture[int]()
        threading.Timer(0.02, future.set_result, [5]).start()
        return await asyncio.wrap_future(future)

    assert asyncio.run(story()) == 5
