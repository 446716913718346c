"""Values that forward reads out of its inputs into Python, and does more with than test them.

What follows one run keeps such a value as a constant: of `self.heads[int(x.max() > 40)](x)` one head. What is only
tested is a conditional's affair. A number that varied is proven to be free, since a graph that had kept it would answer
otherwise; one that was the same in all runs is not. Lists and arrays are not followed any further.
"""

import ast
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from lit_export.proof.observed import Observed, Spot
from lit_export.proof.source_code import SourceFile, source_file, tells

_UNKNOWN = object()
_PURE = {"min": min, "max": max, "round": round, "abs": abs, "int": int, "float": float, "bool": bool, "math": math}
_PLAIN = (ast.Call, ast.Attribute, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Constant, ast.Name, ast.expr_context)
_OPERATORS = (ast.operator, ast.unaryop, ast.cmpop)


def kept(runs: Sequence[Observed]) -> list[str]:
    """What a graph that follows one run would keep, in words: `int(x.max() > 40)` (net.py:9) was always 0."""
    found = dict[str, None]()
    for spot, turns in _by_spot(runs).items():
        source, span = source_file(spot.code.co_filename), spot.span
        node = source.node(span) if source and span else None
        if source and node and not _is_harmless(source, node) and (said := _said(source, node, turns)):
            found[f"`{ast.unparse(node)[:80]}` ({spot.place}) {said}"] = None
    return list(found)


def _by_spot(runs: Sequence[Observed]) -> dict[Spot, list[list[Any]]]:
    """For each place, and each turn at it, what was read in the runs that came there."""
    found = defaultdict[Spot, list[list[Any]]](list)
    for run in runs:
        for spot, values in run.read.items():
            turns = found[spot]
            turns.extend([] for _ in range(len(values) - len(turns)))
            for turn, value in zip(turns, values, strict=False):
                turn.append(value)
    return dict(found)


def _said(source: SourceFile, node: ast.AST, turns: Sequence[Sequence[Any]]) -> str:
    """What is wrong with what was read; nothing where it varied."""
    if not all(isinstance(value, int | float | complex) for values in turns for value in values):
        return "leaves the tensors"
    for values in turns:
        for made in _made(source, node, values):
            if all(value == made[0] for value in made):
                return f"was always {values[0]}" if made is values else f"came to {made[0]} always"
    return ""


def _made(source: SourceFile, node: ast.AST, values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The values, and what the expressions around make of them, as far as these hold only numbers beside."""
    yield values
    outer = source.parents.get(node)
    while isinstance(outer, ast.expr):
        results = [_value(outer, node, value) for value in values]
        if _UNKNOWN in results:
            return
        yield results
        outer = source.parents.get(outer)


def _value(outer: ast.AST, node: ast.AST, value: Any) -> Any:
    """Of an expression of plain numbers in which `node` has that value."""
    text = ast.unparse(outer).replace(ast.unparse(node), "_value")
    tree = ast.parse(text, mode="eval")
    parts = list(ast.walk(tree.body))
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    if names - {*_PURE, "_value"} or not all(isinstance(part, (*_PLAIN, *_OPERATORS)) for part in parts):
        return _UNKNOWN
    try:
        return eval(text, {"__builtins__": {}, **_PURE, "_value": value})  # noqa: S307 - operators on numbers
    except Exception:  # a division by zero, a method that numbers lack
        return _UNKNOWN


def _is_harmless(source: SourceFile, node: ast.AST) -> bool:
    """Whether a conditional tests it, by itself or by a name that is used for nothing else, or it is only told."""
    if _is_tested(source, node):
        return True
    statement = next((one for one in source.above(node) if isinstance(one, ast.stmt)), None)
    match statement:
        case ast.Expr():
            return tells(statement)
        case ast.Raise():
            return True
        case ast.Assign(targets=[ast.Name(id=name)]):
            reads = [one for one in ast.walk(source.around(node)) if isinstance(one, ast.Name) and one.id == name]
            return all(_is_tested(source, one) for one in reads if isinstance(one.ctx, ast.Load))
        case _:
            return False


def _is_tested(source: SourceFile, node: ast.AST) -> bool:
    return any(map(source.is_tested, (node, *source.above(node))))
