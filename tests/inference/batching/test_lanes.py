"""Quick items and long ones, batched apart."""

import threading
from collections.abc import Callable, Iterator

import pytest

from lit_infer.batching.batcher import BatchPolicy
from lit_infer.batching.lanes import Lanes
from lit_infer.errors import ExpiredError, OverloadedError


class Held:
    """Answers items in capitals; long ones, which begin with `L`, when it is told to."""

    def __init__(self) -> None:
        self.goes_on = threading.Event()
        self.batches: list[list[str]] = []
        self.on_quick: Callable[[], None] = lambda: None
        self.lanes: Lanes[str, str] = Lanes(self.run, policy=BatchPolicy(2, max_items=2), workers=1, long_workers=1)

    def run(self, items: list[str]) -> list[str]:
        self.batches.append(items)
        if items[0].startswith("L"):
            assert self.goes_on.wait(20)
        else:
            self.on_quick()
        return [item.upper() for item in items]


@pytest.fixture
def held() -> Iterator[Held]:
    made = Held()
    yield made
    made.goes_on.set()
    made.lanes.close(20)


def until_running(held: Held) -> None:
    while not held.lanes.running():
        threading.Event().wait(0.001)


def test_quick_items_are_answered_while_long_ones_fill_their_queue(held: Held) -> None:
    first = held.lanes.submit("La", is_long=True, size=1, timeout=None)
    until_running(held)
    queued = [held.lanes.submit(f"L{n}", is_long=True, size=1, timeout=None) for n in range(2)]
    with pytest.raises(OverloadedError):
        held.lanes.submit("L2", is_long=True, size=1, timeout=None)

    quick = [held.lanes.submit(f"q{n}", is_long=False, size=1, timeout=None).result(20) for n in range(3)]

    assert quick == ["Q0", "Q1", "Q2"]
    assert held.lanes.waiting == 2
    assert not first.done()
    held.goes_on.set()
    assert [one.result(20) for one in (first, *queued)] == ["LA", "L0", "L1"]
    assert held.batches[-1] == ["L0", "L1"]


def test_it_does_not_stall_by_long_items_alone_while_quick_ones_are_answered(held: Held) -> None:
    assert held.lanes.stalled_for() == 0
    first = held.lanes.submit("La", is_long=True, size=1, timeout=None)
    until_running(held)
    threading.Event().wait(0.05)
    found: list[float] = []
    held.on_quick = lambda: found.append(held.lanes.stalled_for())

    held.lanes.submit("q", is_long=False, size=1, timeout=None).result(20)

    assert 0 < found[0] < held.lanes.stalled_for()
    assert not first.done()


def test_what_is_being_run_in_either_can_be_given_up_and_failed(held: Held) -> None:
    futures = [held.lanes.submit("La", is_long=True, size=1, timeout=None)]
    until_running(held)
    (batch,) = held.lanes.running()
    assert held.lanes.stalled_for() > 0

    held.lanes.give_up(batch, [ExpiredError("too long")])
    futures.append(held.lanes.submit("Lb", is_long=True, size=1, timeout=None))
    held.lanes.fail_all(ExpiredError("closed"))

    assert [str(future.exception(20)) for future in futures] == ["too long", "closed"]
    assert held.lanes.running() == []
