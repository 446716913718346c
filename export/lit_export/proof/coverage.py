"""Which instructions of the user's code run while the eager module answers: what is seen, and no judgement of it.

    with recording() as coverage:   # once for an export
        with running():             # around each call of the module
            module(inputs)

Within `recording`, every function outside torch, Python's library and us is followed instruction by instruction, since
a conditional on one line has two sides too. torch's own functions are called as fast as ever. Another tracer (of a
debugger, or of a coverage report) rests meanwhile, and is put back.
"""

import dis
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from types import CodeType, FrameType
from typing import Any

from lit_export.user_code import is_theirs

Span = tuple[int, int, int, int]
"""Where a piece of source is: line, last line, column, last column, as `ast` and `co_positions` count them."""
_NO_VALUE = frozenset({"COPY", "TO_BOOL", "NOP", "CACHE", "NOT_TAKEN"})
"""Instructions between a value and the jump that tests it."""
_TURNS = 100
"""Turns of a loop that are told apart; all later ones count as one."""
_FUNCTION = 0x1  # CO_OPTIMIZED: set for functions, and not for the bodies of modules and classes


@dataclass(frozen=True)
class Jump:
    """A conditional jump of a function's code."""

    offset: int
    name: str
    next: int
    """Where it goes on if it does not jump."""
    target: int
    spans: tuple[Span, ...]
    """Of what it tests, and of itself: which of the two is the test depends on the kind of test, and on Python."""


@dataclass(eq=False)
class CodeTrace:
    """What ran of one function."""

    code: CodeType
    steps: set[tuple[int, int]] = field(default_factory=set)
    """Pairs of offsets: an instruction, and the one that ran after it in the same frame; -1 before the first."""
    tensors: dict[int, frozenset[str]] = field(default_factory=dict)
    """For each conditional jump, the local names that were tensors when it was first reached."""
    turns: set[tuple[int, int, int]] = field(default_factory=set)
    """Of conditional jumps: the offset, how often it had been reached before in the same run, and where it went."""
    reached: dict[int, int] = field(default_factory=dict)
    """How often each conditional jump has been reached in this run."""
    _known: int = -1
    _complete: bool = False

    @cached_property
    def jumps(self) -> dict[int, Jump]:
        """By offset: that of the jump itself, and of the prefix that a long one has."""
        found, prefix, tested = dict[int, Jump](), list[int](), None
        instructions = list(dis.get_instructions(self.code))
        for index, one in enumerate(instructions[:-1]):
            if one.opname == "EXTENDED_ARG":
                prefix.append(one.offset)
                continue
            if "JUMP" in one.opname and "IF" in one.opname:
                spans = tuple(filter(None, (tested, _span(one.positions))))
                jump = Jump(one.offset, one.opname, instructions[index + 1].offset, one.argval, spans)
                found |= dict.fromkeys((one.offset, *prefix), jump)
            elif one.opname not in _NO_VALUE:
                tested = _span(one.positions)
            prefix.clear()
        return found

    @cached_property
    def spans(self) -> list[Span | None]:
        """Of each instruction, by half its offset."""
        return [_span(position) for position in self.code.co_positions()]

    @property
    def ran(self) -> set[Span]:
        """The pieces of source that ran."""
        return {span for _, now in self.steps if (span := self.spans[now // 2])}

    def sides(self) -> Iterator[tuple[Jump, int, bool]]:
        """Each conditional jump that was reached: how often before in the same run, and whether it jumped."""
        for last, turn, now in self.turns:
            jump = self.jumps[last]
            if now in (jump.next, jump.target):
                yield jump, turn, now == jump.target

    def turn(self, last: int, now: int) -> None:
        """A conditional jump was reached, and went there."""
        count = self.reached.get(last, 0)
        self.reached[last] = count + 1
        self.turns.add((last, min(count, _TURNS), now))

    def is_complete(self) -> bool:
        """Whether there is nothing left to see. Asked often, so it is found out only where something was added."""
        if len(self.steps) != self._known and not self._complete:
            self._known = len(self.steps)
            self._complete = not self.jumps and {span for span in self.spans if span} <= self.ran
        return self._complete


@dataclass(eq=False)
class Coverage:
    """What ran of the user's code, over all calls within `recording`."""

    traces: dict[int, CodeTrace | None] = field(default_factory=dict)
    """By the code object's id; None for code that is not the user's."""
    _kept: list[CodeType] = field(default_factory=list)

    @property
    def functions(self) -> list[CodeTrace]:
        """The user's functions that were called."""
        return [trace for trace in self.traces.values() if trace and trace.steps]

    def trace_of(self, code: CodeType) -> CodeTrace | None:
        """What is known of a function; None if it is not the user's."""
        key = id(code)
        if key not in self.traces:
            self._kept.append(code)  # an id is only its own as long as the object lives
            theirs = code.co_flags & _FUNCTION and is_theirs(code.co_filename)
            self.traces[key] = CodeTrace(code) if theirs else None
        return self.traces[key]

    def enter(self, frame: FrameType, event: str, arg: object) -> Callable[..., Any] | None:
        """The tracer of `sys.settrace`: called for each call of a Python function."""
        del event, arg
        trace = self.trace_of(frame.f_code)
        if trace is None or trace.is_complete():
            return None
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        return _follow(trace)


def _follow(trace: CodeTrace) -> Callable[..., Any]:
    """The tracer of one frame: it notes from which instruction to which the run goes."""
    add, turn, jumps, tensors, last = trace.steps.add, trace.turn, trace.jumps, trace.tensors, -1

    def step(frame: FrameType, event: str, arg: object) -> Callable[..., Any]:
        nonlocal last
        del arg
        if event == "opcode":
            now = frame.f_lasti
            add((last, now))
            if last in jumps:
                turn(last, now)
            if now in jumps and now not in tensors:
                tensors[now] = _tensors(frame.f_locals)
            last = now
        return step

    return step


def _tensors(names: dict[str, Any]) -> frozenset[str]:
    """By what all tensors have, so that torch is not imported here."""
    return frozenset(name for name, value in names.items() if hasattr(type(value), "__torch_function__"))


def _span(position: Any) -> Span | None:
    """None where Python does not know (`-X no_debug_ranges`), or the instruction stands for no piece of source."""
    if position is None or None in (*position,):
        return None
    line, end_line, column, end_column = position
    return None if (line, column) == (end_line, end_column) else (line, end_line, column, end_column)


_recorded: ContextVar[Coverage | None] = ContextVar("coverage", default=None)


@contextmanager
def recording(coverage: Coverage | None = None) -> Iterator[Coverage]:
    """Record what `running` runs within the block."""
    record = coverage or Coverage()
    before = _recorded.set(record)
    try:
        yield record
    finally:
        _recorded.reset(before)


@contextmanager
def running() -> Iterator[None]:
    """The block is the module's own work: it is followed, where something records."""
    coverage = _recorded.get()
    if coverage is None:
        yield
        return
    for trace in coverage.functions:
        trace.reached.clear()
    before, frame, collects = sys.gettrace(), sys._getframe(), gc.isenabled()
    gc.disable()  # who has asked to be called when garbage is looked for is no part of the module
    frame.f_trace_opcodes = True  # before Python 3.13, instructions are only traced if some frame asked for it by now
    sys.settrace(coverage.enter)
    try:
        yield
    finally:
        sys.settrace(before)
        if collects:
            gc.enable()
        frame.f_trace_opcodes = False
