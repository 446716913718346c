"""The batcher with plain functions for a model; events stand where time would."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from lit_infer.batching import batcher as batcher_module
from lit_infer.batching.batcher import Batcher, BatchPolicy
from lit_infer.errors import ExpiredError, OverloadedError, UsageError

LONG = 60.0  # seconds that no test ever waits


class Model:
    """Doubles numbers; holds each batch at a gate, and remembers what it was given."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.entered = threading.Semaphore(0)
        self.gate = threading.Event()

    def __call__(self, batch: list[int]) -> list[int]:
        self.batches.append(batch)
        self.entered.release()
        assert self.gate.wait(LONG)
        return [2 * item for item in batch]


@contextmanager
def occupied(model: Model, policy: BatchPolicy) -> Iterator[Batcher[int, int]]:
    """A batcher whose one worker holds a batch of a zero; the gate opens at the end."""
    batcher: Batcher[int, int] = Batcher(model, policy=policy)
    first = batcher.submit(0)
    assert model.entered.acquire(timeout=LONG)
    try:
        yield batcher
    finally:
        model.gate.set()
        batcher.close()
        assert first.result() == 0


@pytest.mark.parametrize("workers", [1, 4])
def test_each_of_many_threads_gets_its_own_answer(workers: int) -> None:
    wrong = []
    batcher: Batcher[int, int] = Batcher(lambda batch: [2 * item for item in batch], workers=workers)

    def ask(start: int) -> None:
        wrong.extend(n for n in range(start, start + 200) if batcher.submit(n).result(LONG) != 2 * n)

    threads = [threading.Thread(target=ask, args=(1000 * number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    batcher.close()

    assert wrong == []


def test_what_waits_when_a_worker_is_free_is_one_batch_up_to_the_largest() -> None:
    model = Model()
    with occupied(model, BatchPolicy(max_batch=4)) as batcher:
        futures = [batcher.submit(n) for n in range(1, 11)]
        model.gate.set()
        assert [future.result(LONG) for future in futures] == [2 * n for n in range(1, 11)]

    assert model.batches == [[0], [1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]


def test_a_lone_item_does_not_wait_for_company() -> None:
    batcher: Batcher[int, int] = Batcher(lambda batch: batch, policy=BatchPolicy(max_batch=64))

    assert batcher.submit(3).result(LONG) == 3
    batcher.close()


def test_a_batch_that_may_wait_is_run_as_soon_as_it_is_full() -> None:
    model = Model()
    model.gate.set()
    batcher: Batcher[int, int] = Batcher(model, policy=BatchPolicy(max_batch=3, max_delay=LONG))

    futures = [batcher.submit(n) for n in (1, 2, 3)]

    assert [future.result(LONG / 2) for future in futures] == [2, 4, 6]
    batcher.close()
    assert model.batches == [[1, 2, 3]]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The batcher's clock, which stands at `now`."""
    held = SimpleNamespace(now=0.0)
    monkeypatch.setattr(batcher_module, "time", SimpleNamespace(monotonic=lambda: held.now))
    return held


def test_the_delay_is_counted_from_the_first_item(clock: SimpleNamespace) -> None:
    model = Model()
    model.gate.set()
    batcher: Batcher[int, int] = Batcher(model, policy=BatchPolicy(max_batch=100, max_delay=10 * LONG))

    first = batcher.submit(1)
    clock.now = 9 * LONG
    later = batcher.submit(2)
    clock.now = 10 * LONG  # the first one's delay is over, the second one's is not
    batcher.submit(3, timeout=100 * LONG)  # an item with a deadline has the worker look at the clock

    assert (first.result(LONG), later.result(LONG)) == (2, 4)
    assert model.batches[0][:2] == [1, 2]
    clock.now = 100 * LONG
    batcher.close()


def test_a_short_timeout_is_not_spent_on_waiting_for_company(clock: SimpleNamespace) -> None:
    batcher: Batcher[int, int] = Batcher(lambda batch: batch, policy=BatchPolicy(max_batch=8, max_delay=LONG))

    slow = batcher.submit(1)
    clock.now = 0.05
    quick = batcher.submit(2, timeout=0.0)  # it can only be run at once, and takes the other along

    assert (quick.result(LONG / 2), slow.result(LONG / 2)) == (2, 1)
    batcher.close()


@pytest.mark.parametrize("timeout", [0.001, 1.0, 2 * LONG, 1e6])
def test_half_of_a_timeout_or_the_delay_is_the_most_that_is_waited_for_company(
    clock: SimpleNamespace, timeout: float
) -> None:
    batcher: Batcher[int, int] = Batcher(lambda batch: batch, policy=BatchPolicy(max_batch=8, max_delay=LONG))

    waiting = batcher._as_waiting(1, 0, timeout)

    assert (waiting.deadline, waiting.runs_by) == (timeout, min(LONG, timeout / 2))
    batcher.close()


def test_a_full_queue_refuses_at_once_and_takes_items_again_when_there_is_room() -> None:
    model = Model()
    with occupied(model, BatchPolicy(max_batch=8, max_items=2)) as batcher:
        taken = [batcher.submit(1), batcher.submit(2)]
        with pytest.raises(OverloadedError, match=r"2 items .* are already waiting; .* 2 items") as caught:
            batcher.submit(3)
        assert caught.value.status == 503
        model.gate.set()
        wait(taken)
        assert batcher.submit(4).result(LONG) == 8

    assert 3 not in [item for batch in model.batches for item in batch]


def test_bytes_that_wait_are_bounded_too() -> None:
    with occupied(Model(), BatchPolicy(max_bytes=100)) as batcher:
        batcher.submit(1, size=60)
        with pytest.raises(OverloadedError, match="60 bytes"):
            batcher.submit(2, size=41)
        batcher.submit(3, size=40)
        assert batcher.waiting == 2


def test_a_cancelled_item_is_dropped_before_it_is_run_and_makes_room() -> None:
    model = Model()
    with occupied(model, BatchPolicy(max_items=1)) as batcher:
        assert batcher.submit(1).cancel()
        second = batcher.submit(2)

    assert second.result() == 4
    assert model.batches == [[0], [2]]


def test_an_item_that_is_being_run_cannot_be_cancelled() -> None:
    model = Model()
    batcher: Batcher[int, int] = Batcher(model)
    future = batcher.submit(1)
    assert model.entered.acquire(timeout=LONG)

    assert not future.cancel()
    model.gate.set()
    assert future.result(LONG) == 2
    batcher.close()


def test_an_item_whose_time_is_over_is_dropped_before_it_is_run() -> None:
    model = Model()
    with occupied(model, BatchPolicy()) as batcher:
        late = batcher.submit(1, timeout=0.0)
        in_time = batcher.submit(2, timeout=LONG)

    with pytest.raises(ExpiredError, match="its timeout passed"):
        late.result()
    with pytest.raises(TimeoutError):
        late.result()
    assert in_time.result() == 4
    assert model.batches == [[0], [2]]


def test_when_all_that_waits_was_dropped_the_next_item_is_still_answered() -> None:
    model = Model()
    with occupied(model, BatchPolicy()) as batcher:
        late = [batcher.submit(n, timeout=0.0) for n in range(3)]
        model.gate.set()
        wait(late)
        assert batcher.submit(7).result(LONG) == 14


def test_an_error_of_the_model_reaches_all_of_its_batch_and_no_other() -> None:
    def model(batch: list[int]) -> list[int]:
        if 1 in batch:
            raise RuntimeError("the device is gone")
        return batch

    batcher: Batcher[int, int] = Batcher(model)

    with pytest.raises(RuntimeError, match="the device is gone"):
        batcher.submit(1).result(LONG)
    assert batcher.submit(2).result(LONG) == 2
    batcher.close()


def test_an_exception_in_an_items_place_fails_that_item_alone() -> None:
    model: Callable[[list[int]], list[int | Exception]] = lambda batch: [  # noqa: E731
        ValueError(f"{item} is odd") if item % 2 else item for item in batch
    ]
    batcher: Batcher[int, int] = Batcher(model)

    bad, good = batcher.submit(1), batcher.submit(2)

    assert good.result(LONG) == 2
    with pytest.raises(ValueError, match="1 is odd"):
        bad.result(LONG)
    batcher.close()


def test_too_few_answers_are_an_error_not_a_wait_for_ever() -> None:
    batcher: Batcher[int, int] = Batcher(lambda batch: batch[:-1])

    with pytest.raises(ValueError, match="0 answers for 1 items"):
        batcher.submit(1).result(LONG)
    batcher.close()


def test_closing_answers_what_waits_and_then_takes_no_more() -> None:
    model = Model()
    batcher: Batcher[int, int] = Batcher(model, policy=BatchPolicy(max_batch=2, max_delay=LONG))
    futures = [batcher.submit(n) for n in range(5)]
    model.gate.set()
    batcher.close()
    batcher.close()

    assert [future.result(0) for future in futures] == [0, 2, 4, 6, 8]
    with pytest.raises(UsageError, match="closed"):
        batcher.submit(9)


def test_a_callback_may_submit_again() -> None:
    batcher: Batcher[int, int] = Batcher(lambda batch: batch)
    second: Future[Future[int]] = Future()

    batcher.submit(1).add_done_callback(lambda _: second.set_result(batcher.submit(2)))

    assert second.result(LONG).result(LONG) == 2
    batcher.close()


def test_workers_run_batches_at_the_same_time() -> None:
    together = threading.Barrier(2)

    def model(batch: list[int]) -> list[int]:
        together.wait(LONG)
        return batch

    batcher: Batcher[int, int] = Batcher(model, policy=BatchPolicy(max_batch=1), workers=2)

    assert [batcher.submit(n) for n in (1, 2)][1].result(LONG) == 2
    batcher.close()


def test_no_thread_turns_while_nothing_waits() -> None:
    before = set(threading.enumerate())
    batcher: Batcher[int, int] = Batcher(lambda batch: batch, workers=4)
    batcher.submit(1).result(LONG)

    assert batcher._pool._idle_semaphore.acquire(timeout=LONG)  # its thread has ended its work and sleeps in the pool
    assert batcher._active == 0
    assert len(set(threading.enumerate()) - before) == 1
    batcher.close()


def without_memory(self: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_without_memory_for_a_thread_an_item_is_refused_and_later_ones_are_answered() -> None:
    batcher: Batcher[int, int] = Batcher(lambda batch: batch, workers=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", without_memory)
        with pytest.raises(OverloadedError, match="not enough memory for another thread"):
            batcher.submit(1)

    assert batcher.submit(2).result(LONG) == 2
    assert batcher.waiting == 0
    batcher.close()
    assert batcher._active == 0


def test_without_memory_for_more_threads_those_that_are_there_answer_everything() -> None:
    goes_on = threading.Event()

    def model(batch: list[int]) -> list[int]:
        goes_on.wait(LONG)
        return batch

    batcher: Batcher[int, int] = Batcher(model, policy=BatchPolicy(max_batch=1), workers=4)
    batcher.prepare()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", without_memory)
        futures = [batcher.submit(n) for n in range(5)]
        goes_on.set()

        assert [future.result(LONG) for future in futures] == [0, 1, 2, 3, 4]
    batcher.close()
    assert batcher._active == 0


@pytest.mark.parametrize("wrong", [{"max_batch": 0}, {"max_items": 0}, {"max_bytes": 0}, {"max_delay": -1.0}])
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="at least"):
        BatchPolicy(**wrong)
