"""Which decisions of the user's code depend on data: followed through the assignments of a function."""

import ast
from collections.abc import Iterable, Iterator

from lit_export.proof.coverage import Span
from lit_export.proof.exercised import Decision
from lit_export.proof.source_code import span_of, within


def depends_on_data(decision: Decision, looks: set[Span]) -> bool:
    """Whether a decision depends on values of the inputs, given the places where the run looked at such values.

    It does where its own test looks, or where it uses a name whose value came from a look: `n = int(mask.sum())`, then
    `if n > 3`. A name that holds a tensor counts only if the test looks at it.
    """
    if any(_looks(one, looks) for one in decision.asks):
        return True
    function = decision.source.around(decision.test)
    names = set[str]().union(*map(_names, decision.asks))
    return bool(names & _names_from_data(function, looks, decision.tensors))


def is_configuration(decision: Decision, written: set[str]) -> bool:
    """Whether a test plainly asks for settings of the module: attributes of `self` and constants, and no call.

    `written` are the attributes that the run gives a value, which may come from data. To be asked first: it needs no
    look at the run.
    """
    parts = [part for one in decision.asks for part in ast.walk(one)]
    if any(isinstance(part, ast.Call | ast.Subscript) for part in parts):
        return False
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    return names <= {"self"} and not written & {part.attr for part in parts if isinstance(part, ast.Attribute)}


def written_attributes(decisions: Iterable[Decision]) -> set[str]:
    """The attributes that the files of these decisions give a value outside of constructors."""
    found = set[str]()
    for source in {one.source for one in decisions}:
        for node in ast.walk(source.tree):
            is_written = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
            if is_written and getattr(source.around(node), "name", "") != "__init__":
                found.add(node.attr)  # type: ignore[attr-defined]
    return found


def _looks(node: ast.AST, looks: set[Span]) -> bool:
    return any(within(look, span_of(node)) for look in looks)


def _names_from_data(function: ast.AST, looks: set[Span], tensors: frozenset[str]) -> set[str]:
    """Names, not of tensors, that are given a value from a look, or under a conditional that depends on one."""
    found = set[str]()
    assignments = list(_assignments(function, ()))
    while True:
        added = {
            name
            for targets, values in assignments
            if any(_looks(value, looks) or _names(value) & found for value in values)
            for target in targets
            for name in _names(target) - tensors
        }
        if added <= found:
            return found
        found |= added


def _assignments(node: ast.AST, above: tuple[ast.AST, ...]) -> Iterator[tuple[list[ast.AST], tuple[ast.AST, ...]]]:
    """The targets of each assignment, with what decides them: its value, and the tests that it stands under."""
    match node:
        case ast.Assign(targets=targets, value=value):
            yield list(targets), (value, *above)
        case ast.AugAssign(target=target, value=value) | ast.NamedExpr(target=target, value=value):
            yield [target], (value, *above)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield [target], (value, *above)
        case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
            yield [target], (value, *above)
            above = (*above, value)
        case ast.If(test=test) | ast.While(test=test):
            above = (*above, test)
    for child in ast.iter_child_nodes(node):
        yield from _assignments(child, above)


def _names(node: ast.AST) -> set[str]:
    """The names in an expression, and attributes such as `self.count`; not `self` alone, which says nothing."""
    found = set[str]()
    for part in ast.walk(node):
        match part:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute):
                found.add(f"{name}.{attribute}")
            case ast.Name(id=name):
                found.add(name)
    return found - {"self"}
