"""lit_export.proof.coverage: which instructions of the user's functions ran, and which way conditionals went."""

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from lit_export.proof.coverage import CodeTrace, Coverage, recording, running


def followed(function: Callable[..., Any], *calls: Any) -> Coverage:
    """What ran of a function, over calls with one argument each."""
    with recording() as coverage, running():
        for argument in calls:
            function(argument)
    return coverage


def trace_of(function: Callable[..., Any], *calls: Any) -> CodeTrace:
    found = [trace for trace in followed(function, *calls).functions if trace.code is function.__code__]
    assert len(found) == 1
    return found[0]


def sides(trace: CodeTrace) -> set[bool]:
    return {jumped for _, _, jumped in trace.sides()}


def on_one_line(x: int) -> int:
    return 1 if x > 0 else 2


def straight(x: int) -> int:
    y = x + 1
    return y * 2


def long_way(x: int) -> int:
    total = 0
    if x > 0:
        exec_me = [x, x + 1, x + 2, x + 3, x + 4, x + 5, x + 6, x + 7, x + 8, x + 9, x + 10, x + 11, x + 12, x + 13]
        exec_me += [x, x + 1, x + 2, x + 3, x + 4, x + 5, x + 6, x + 7, x + 8, x + 9, x + 10, x + 11, x + 12, x + 13]
        exec_me += [x, x + 1, x + 2, x + 3, x + 4, x + 5, x + 6, x + 7, x + 8, x + 9, x + 10, x + 11, x + 12, x + 13]
        exec_me += [x, x + 1, x + 2, x + 3, x + 4, x + 5, x + 6, x + 7, x + 8, x + 9, x + 10, x + 11, x + 12, x + 13]
        exec_me += [x, x + 1, x + 2, x + 3, x + 4, x + 5, x + 6, x + 7, x + 8, x + 9, x + 10, x + 11, x + 12, x + 13]
        total = sum(exec_me)
    return total


@pytest.mark.parametrize("function", [on_one_line, long_way])
def test_each_side_of_a_conditional_is_seen(function: Callable[[int], int]) -> None:
    """Also on one line, and where the jump is so long that its instruction has a prefix."""
    one, other, both = (trace_of(function, *calls) for calls in ((1,), (-1,), (1, -1)))
    assert len(sides(one)) == len(sides(other)) == 1
    assert sides(one) != sides(other)
    assert sides(both) == {True, False}


def test_the_prefix_of_a_long_jump_belongs_to_it() -> None:
    jumps = CodeTrace(long_way.__code__).jumps
    assert len(jumps) > len({jump.offset for jump in jumps.values()}) == 1


def test_a_function_of_which_everything_ran_is_followed_no_longer() -> None:
    assert trace_of(straight, 1).is_complete()
    assert not trace_of(on_one_line, 1, -1).is_complete()  # turns of a loop may still differ


def test_turns_of_a_loop_are_told_apart_and_counted_anew_in_each_run() -> None:
    def loop(x: int) -> int:
        return sum(1 if turn > 1 else 0 for turn in range(x))

    def turns(*calls: int) -> set[tuple[int, bool]]:
        with recording() as coverage:
            for x in calls:
                with running():
                    loop(x)
        return {(turn, jumped) for trace in coverage.functions for _, turn, jumped in trace.sides()}

    assert turns(4) == turns(4, 4)
    assert {turn for turn, _ in turns(4)} == {0, 1, 2, 3}
    assert {turn for turn, _ in turns(150)} == {*range(101)}


def test_names_of_tensors_are_known_where_a_conditional_is_reached() -> None:
    def asks(x: torch.Tensor) -> int:
        count = 2
        return 1 if x.numel() > count else 0

    assert list(trace_of(asks, torch.zeros(3)).tensors.values()) == [frozenset({"x"})]


def test_torch_and_python_are_not_followed_and_the_module_s_own_functions_are() -> None:
    class Inner(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(2, 2), Inner())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.net(x)

    found = [trace.code.co_qualname for trace in followed(Outer(), torch.zeros(1, 2)).functions]
    assert [name.split("<locals>.")[1] for name in found] == ["Outer.forward", "Inner.forward"]


def test_what_runs_outside_is_not_recorded() -> None:
    with recording() as coverage:
        straight(1)
    with running():
        straight(1)
    assert coverage.functions == []


def test_another_tracer_is_put_back_also_after_an_error() -> None:
    def other(*_: object) -> None:
        return None

    before = sys.gettrace()
    sys.settrace(other)
    try:
        with pytest.raises(ZeroDivisionError), recording(), running():
            on_one_line(1 // 0)
        found = sys.gettrace()
    finally:
        sys.settrace(before)
    assert found is other
