"""What takes turns: callers who call again and again. Here they are plain functions."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from lit_infer import Timings
from lit_infer.bench.callers import Caller, Callers
from lit_infer.bench.cells import CallingCell, calls, shared_by
from lit_infer.bench.rows import Unit
from lit_infer.bench.subjects import Subject
from lit_infer.errors import EngineError, OverloadedError
from lit_infer.predictor import Predictor

ONE = Timings(read_ms=1, decode_ms=2, resize_ms=3, infer_ms=4)


class Described:
    """What is called, as a row tells it."""

    name, engine, device, threads, decoded = "made up", "python", "cpu", 1, True
    unit: Unit = "images"


def cell(*each: Callable[[], Any], check: Callable[[Any], Sequence[Timings]] = lambda _: [ONE]) -> CallingCell:
    return CallingCell(Described(), Callers([Caller(call, check) for call in each], 2, "call"))


def test_the_warm_up_is_two_calls_and_in_no_figure() -> None:
    made: list[None] = []
    one = cell(lambda: made.append(None))

    one.warm_up()
    assert (len(made), one.times) == (2, [])

    one.work_for(0)
    assert (len(made), len(one.times), one.row().calls) == (3, 1, 1)


def test_every_caller_makes_at_least_one_call_from_a_thread_of_its_own() -> None:
    together = threading.Barrier(3, timeout=60)  # passes only while all three call
    many = cell(*[together.wait] * 3)

    many.work_for(0)

    row = many.row()
    assert (row.calls, row.callers, row.batch_size) == (3, 3, 2)
    assert row.stages_ms == {"read": 1, "decode": 2, "resize": 3, "infer": 4}


def test_a_lone_caller_calls_from_the_thread_that_gives_the_turn() -> None:
    threads: list[threading.Thread] = []

    cell(lambda: threads.append(threading.current_thread())).work_for(0)

    assert threads == [threading.current_thread()]


def test_refused_calls_are_counted_and_in_no_figure() -> None:
    answers = iter([None, OverloadedError("full"), OverloadedError("full still"), None])

    def call() -> None:
        if (error := next(answers)) is not None:
            raise error

    one = cell(call)
    for _ in range(4):
        one.work_for(0)

    row = one.row()
    assert (row.calls, row.failed, row.why_failed) == (2, 2, "full")


def test_where_every_call_is_refused_there_is_no_row() -> None:
    def call() -> None:
        raise OverloadedError("full")

    one = cell(call)
    one.work_for(0)

    with pytest.raises(EngineError, match="made up: none of 1 calls was answered: full"):
        one.row()


@pytest.mark.parametrize("count", [1, 3])
def test_a_wrong_answer_ends_the_turn_in_the_thread_that_gave_it(count: int) -> None:
    def check(answer: str) -> Sequence[Timings]:
        raise EngineError(f"{answer} is wrong")

    with pytest.raises(EngineError, match="4 is wrong"):
        cell(*[lambda: "4"] * count, check=check).work_for(0)


def test_what_wakes_a_connection_comes_before_the_turn() -> None:
    told: list[str] = []
    caller = Caller(lambda: told.append("call"), lambda _: (), wake=lambda: told.append("wake"))

    CallingCell(Described(), Callers([caller], 1, "call")).work_for(0)

    assert told[:2] == ["wake", "call"]


def test_a_subject_is_called_by_one_or_shared_by_many(predictor: Predictor) -> None:
    subject = Subject("onnx", predictor)
    cells = [calls(subject, 3), shared_by(subject, 2, max_batch=4)]
    for each in cells:
        each.work_for(0)
        each.close()

    alone, shared = (each.row() for each in cells)
    assert (alone.via, alone.batch_size, alone.callers) == ("call", 3, 1)
    assert (shared.via, shared.batch_size, shared.callers) == ("submit", 4, 2)
