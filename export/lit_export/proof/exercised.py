"""What the inputs of the proof exercised of the user's code, and what not: lines, and sides of conditionals."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from lit_export.proof.coverage import CodeTrace, Coverage, Span
from lit_export.proof.source_code import (
    Conditional,
    SourceFile,
    means,
    only_raises,
    source_file,
    span_of,
    statements,
    within,
)
from lit_export.user_code import shown_path
from lit_infer.manifest import Unexercised

What = Literal["never ran", "always true", "always false"]


@dataclass(frozen=True, eq=False)
class Decision:
    """A conditional that was reached, or a loop, and which of its sides ran."""

    source: SourceFile
    test: ast.AST
    """What decides: a test, or what a loop goes over."""
    line: int
    missing: What | None
    """How it stayed one-sided; None: both sides ran, or the other one only raises an error."""
    turn: int | None
    """None: in all turns of a run. Else the first turn, from 0, of a loop or of calls of its function, in which it
    was one-sided in all runs, while other turns took the other side: what follows one run keeps the side of each."""
    tensors: frozenset[str]
    """Local names that were tensors when it was first reached."""
    took_both: bool = False
    """Whether both sides ran, in some run."""

    @property
    def asks(self) -> tuple[ast.AST, ...]:
        """What decides: the test; a pattern of `match` with its subject."""
        above = list(self.source.above(self.test))
        inner = next(one for one in above if isinstance(one, ast.match_case | ast.stmt))
        outer = self.source.parents[inner] if isinstance(inner, ast.match_case) else None
        return (self.test, outer.subject) if isinstance(outer, ast.Match) else (self.test,)

    @property
    def text(self) -> str:
        """Its line of source."""
        return self.source.text(self.line)

    @property
    def place(self) -> str:
        """`pkg/net.py:12`."""
        return f"{shown_path(self.source.filename)}:{self.line}"


@dataclass(frozen=True)
class Exercised:
    """Of all functions that were called, outside torch and Python's own library."""

    lines: int | None
    """None where there is no source."""
    lines_run: int | None
    decisions: tuple[Decision, ...]
    never_ran: tuple[tuple[SourceFile, int], ...]
    """Lines; those of a side that only raises an error are not counted."""

    @property
    def one_sided(self) -> list[Decision]:
        """Conditionals of which one side never ran, and loops whose body never did."""
        return [one for one in self.decisions if one.missing and one.turn is None]

    @property
    def one_sided_in_turn(self) -> list[Decision]:
        """Conditionals of which both sides ran, and some turn of a loop took only one of them."""
        return [one for one in self.decisions if one.turn is not None]

    def unexercised(self, first: Iterable[Decision] = ()) -> tuple[Unexercised, ...]:
        """For the manifest, in the order of the source; `first` goes before the others."""
        ahead = list(first)
        decisions = [*ahead, *(one for one in self.one_sided if one not in ahead)]
        found = [_unexercised(one.source, one.line, one.missing, one.turn) for one in decisions if one.missing]
        told = {(one.file, one.line) for one in found}
        lines = [_unexercised(source, line, "never ran") for source, line in self.never_ran]
        return tuple(dict.fromkeys([*found, *(one for one in lines if (one.file, one.line) not in told)]))


def _unexercised(source: SourceFile, line: int, what: What, turn: int | None = None) -> Unexercised:
    at = "" if turn is None else f"  # at its turn {turn + 1}"
    return Unexercised(file=shown_path(source.filename), line=line, text=f"{source.text(line)[:200]}{at}", what=what)


def exercised(coverage: Coverage) -> Exercised:
    """Read the source of what was called."""
    pairs = [(source, trace) for trace in coverage.functions if (source := source_file(trace.code.co_filename))]
    counted, run = set[tuple[SourceFile, int]](), set[tuple[SourceFile, int]]()
    for source, trace in pairs:
        for line, did_run in _lines(source, trace):
            counted.add((source, line))
            run |= {(source, line)} if did_run else set()
    missing = sorted(counted - run, key=_order)
    return Exercised(
        lines=len(counted) if pairs else None,
        lines_run=len(run) if pairs else None,
        decisions=(*_conditionals(pairs), *_loops(pairs)),
        never_ran=tuple(missing),
    )


def _order(pair: tuple[SourceFile, int]) -> tuple[str, int]:
    return pair[0].filename, pair[1]


def _lines(source: SourceFile, trace: CodeTrace) -> Iterator[tuple[int, bool]]:
    """The lines of a function's statements, and whether each ran."""
    function = source.function(trace.code)
    if function is None:
        return
    possible, ran = _by_line(filter(None, trace.spans)), _by_line(trace.ran)
    for statement, head in statements(function):
        if _any_within(possible, head):  # Python compiles no code for `if TYPE_CHECKING` and the like
            yield statement.lineno, _any_within(ran, head)


def _by_line(spans: Iterable[Span]) -> dict[int, set[Span]]:
    found = defaultdict[int, set[Span]](set)
    for span in spans:
        found[span[0]].add(span)
    return found


def _any_within(spans: dict[int, set[Span]], head: Span) -> bool:
    return any(within(span, head) for line in range(head[0], head[1] + 1) for span in spans.get(line, ()))


Turn = tuple[int, int]
"""Of a conditional jump: its offset, and how often it had been reached before in the same run."""


@dataclass(frozen=True)
class _Seen:
    """What is known of one conditional. One that the compiler wrote twice (of a `while`, of `finally`) is one."""

    source: SourceFile
    conditional: Conditional
    tensors: frozenset[str]
    sides: dict[Turn, set[bool]]

    def decision(self) -> Decision:
        taken = set[bool]().union(*self.sides.values())
        missing, turn = self._missing(taken), None
        if missing is None:
            partly = {key: found for key, sides in self.sides.items() if (found := self._missing(sides))}
            turn = min((turn for _, turn in partly), default=None)
            missing = next((found for key, found in partly.items() if key[1] == turn), None)
        line = span_of(self.conditional.test)[0]
        return Decision(self.source, self.conditional.test, line, missing, turn, self.tensors, len(taken) == 2)

    def _missing(self, sides: set[bool]) -> What | None:
        if len(sides) != 1 or self.source.leads_nowhere(self.conditional, not min(sides)):
            return None
        return "always true" if True in sides else "always false"


def _conditionals(pairs: Iterable[tuple[SourceFile, CodeTrace]]) -> list[Decision]:
    """Each conditional that was reached, in the order of the source."""
    found = dict[tuple[str, Span], _Seen]()
    for source, trace in pairs:
        for jump, turn, jumped in trace.sides():
            if conditional := source.conditional(jump.spans):
                new = _Seen(source, conditional, trace.tensors.get(jump.offset, frozenset()), {})
                seen = found.setdefault((source.filename, span_of(conditional.test)), new)
                seen.sides.setdefault((jump.offset, turn), set()).add(means(jump.name, jumped, conditional.test))
    return [found[place].decision() for place in sorted(found)]


def _loops(pairs: Iterable[tuple[SourceFile, CodeTrace]]) -> Iterator[Decision]:
    """The `for` loops that were reached and had nothing to go over."""
    for source, trace in pairs:
        function, ran = source.function(trace.code), _by_line(trace.ran)
        for loop in ast.walk(function) if function else ():
            if isinstance(loop, ast.For) and source.around(loop) is function and not only_raises(loop.body):
                body = (loop.body[0].lineno, loop.body[-1].end_lineno or 0, loop.body[0].col_offset, 10**6)
                if _any_within(ran, span_of(loop.iter)) and not _any_within(ran, body):
                    yield Decision(source, loop.iter, loop.lineno, "never ran", None, frozenset())
