"""Sizes for which a graph of torch.export may not be the module: those outside of what the exporter took for granted.

It follows one run, and notes of the dynamic sides what the code asked on its way: of `if x.shape[0] > 16`, or of
`x.split(16)`, that the batch is at most 16. Beyond that the program refuses or, as ONNX, answers something else.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lit_export.proof.sizes import Doubt
from lit_export.user_code import is_theirs

_FEW = (3, 4, 5, 7)
"""Sizes by which a guard on multiples shows."""
_SMALLEST, _LARGEST = 2, 4096
"""A single row is compared anyway; what is larger takes too long."""
_MOST = 4


def doubts(program: Any, dynamic: Sequence[Mapping[int, str]]) -> tuple[Doubt, ...]:
    """Sizes of an ExportedProgram's dynamic sides that it is not for; `dynamic`: these sides by input."""
    found = dict[tuple[str, int], Doubt]()
    for symbol, (side, environment) in _sides(program, dynamic).items():
        traced = dict(getattr(environment, "backed_var_to_val", None) or environment.var_to_val)  # as releases call it
        for guard in environment.guards:
            if symbol in guard.expr.free_symbols <= set(traced):
                for size in _breaking(guard.expr, symbol, traced):
                    found.setdefault((side, size), Doubt(side, size, _place(guard)))
        for size in _outside(program.range_constraints.get(symbol)):  # of a program for ONNX, guards are not kept
            found.setdefault((side, size), Doubt(side, size, ""))
    return tuple(found.values())[:_MOST]


def _sides(program: Any, dynamic: Sequence[Mapping[int, str]]) -> dict[Any, tuple[str, Any]]:
    """Each dynamic side's symbol, with its name and what torch knows of symbols."""
    found = {}
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    for name, axes in zip(program.graph_signature.user_inputs, dynamic, strict=False):
        for axis, side in axes.items():
            size = nodes[name].meta["val"].shape[axis]
            if not isinstance(size, int) and size.node.expr.is_Symbol:
                found[size.node.expr] = (side, size.node.shape_env)
    return found


def _outside(allowed: Any) -> list[int]:
    """The sizes next to a range."""
    if allowed is None:
        return []
    ends = [int(allowed.lower) - 1, *([int(allowed.upper) + 1] if allowed.upper.is_Integer else [])]
    return [size for size in ends if _SMALLEST <= size <= _LARGEST]


def _breaking(expression: Any, symbol: Any, traced: Mapping[Any, Any]) -> Iterator[int]:
    """The nearest size above the traced one, and below it, for which an expression is false."""
    near = {int(number) + more for number in expression.atoms() if number.is_Integer for more in (-1, 0, 1)}
    at = int(traced[symbol])
    sizes = sorted(size for size in near | {*_FEW} if _SMALLEST <= size <= _LARGEST and size != at)
    broken = [size for size in sizes if _is_false(expression, {**traced, symbol: size})]
    yield from [size for size in broken if size > at][:1]
    yield from [size for size in broken if size < at][-1:]


def _is_false(expression: Any, values: Mapping[Any, Any]) -> bool:
    return bool(expression.subs(values) == False)  # noqa: E712 - sympy's, which is not Python's


def _place(guard: Any) -> str:
    """`net.py:12`, where that is the user's own."""
    frame = guard.sloc.framework_loc
    name, line = getattr(frame, "filename", ""), getattr(frame, "lineno", 0)
    return f"{Path(name).name}:{line}" if name and is_theirs(name) else ""
