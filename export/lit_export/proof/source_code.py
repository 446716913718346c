"""A source file as a tree in which a piece is found by its place, and what the sides of its conditionals lead to."""

import ast
import linecache
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from types import CodeType

from lit_export.proof.coverage import Span

Function = ast.FunctionDef | ast.AsyncFunctionDef
_PART_OF_A_TEST = (ast.UnaryOp, ast.BoolOp, ast.NamedExpr, ast.MatchValue, ast.MatchOr)


def span_of(node: ast.AST) -> Span:
    """Where a node is."""
    return node.lineno, node.end_lineno, node.col_offset, node.end_col_offset  # type: ignore[attr-defined]


def within(inner: Span, outer: Span) -> bool:
    """Whether a piece of source is part of another one."""
    return (inner[0], inner[2]) >= (outer[0], outer[2]) and (inner[1], inner[3]) <= (outer[1], outer[3])


@dataclass(frozen=True)
class Conditional:
    """A test that a run may pass in two ways."""

    test: ast.AST
    """The whole test, or the operand of an `and`, `or` or `not`."""
    negated: bool
    """Whether the owner's test is false where this is true."""
    owner: ast.AST
    """The `if`, `while`, `assert`, … that it decides."""


@dataclass(frozen=True, eq=False)
class SourceFile:
    """A parsed file."""

    filename: str
    lines: Sequence[str]
    tree: ast.Module

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """Of each node."""
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    @cached_property
    def _by_span(self) -> dict[Span, ast.AST]:
        placed = (node for node in ast.walk(self.tree) if hasattr(node, "lineno"))
        return {span_of(node): node for node in placed}  # of several in one place, the innermost

    @cached_property
    def _functions(self) -> dict[tuple[int, str], Function]:
        found = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                found[first, node.name] = node
        return found

    def text(self, line: int) -> str:
        """A line as it is written, without its indentation."""
        return self.lines[line - 1].strip() if 0 < line <= len(self.lines) else ""

    def function(self, code: CodeType) -> Function | None:
        """The definition of a function; None for lambdas and comprehensions, and where the file has changed since."""
        return self._functions.get((code.co_firstlineno, code.co_name))

    def around(self, node: ast.AST) -> ast.AST:
        """The function that a node is in, or the whole file."""
        above = self.above(node)
        return next((one for one in above if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)), self.tree)

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """What a node is in, from the inside out."""
        while (node := self.parents.get(node)) is not None:  # type: ignore[assignment]
            yield node

    def node(self, span: Span) -> ast.AST | None:
        """The piece of source in that place."""
        return self._by_span.get(span)

    def is_tested(self, node: ast.AST) -> bool:
        """Whether it is the test of a conditional, or an operand of one."""
        return self._tested_by(node) is not None

    def conditional(self, spans: Sequence[Span]) -> Conditional | None:
        """The conditional whose test is in one of these places; None for what only looks like one when compiled."""
        found = (self._tested_by(self._by_span[span]) for span in spans if span in self._by_span)
        return next(filter(None, found), None)

    def _tested_by(self, test: ast.AST) -> Conditional | None:
        node, negated = test, False
        while isinstance(owner := self.parents.get(node), _PART_OF_A_TEST):
            negated ^= isinstance(owner, ast.UnaryOp) and isinstance(owner.op, ast.Not)
            node = owner
        return Conditional(test, negated, owner) if owner is not None and _decides(owner, node) else None

    def leads_nowhere(self, conditional: Conditional, side: bool) -> bool:
        """Whether one side of a conditional only raises an error: no answer comes of it, so none can be wrong."""
        if in_deployment(conditional.test) not in (None, side):
            return True
        outcome = side != conditional.negated
        match conditional.owner:
            case ast.Assert():
                return not outcome
            case ast.If(body=body, orelse=orelse) as owner:
                block = body if outcome else orelse or self._after(owner)
                return only_raises(block) or (only_tells(body) and only_tells(orelse))
            case _:
                return False

    def _after(self, node: ast.stmt) -> Sequence[ast.stmt]:
        """The statements that follow in the same block."""
        parent = self.parents[node]
        for _, block in ast.iter_fields(parent):
            if isinstance(block, list) and node in block:
                return block[block.index(node) + 1 :]
        return ()


def _decides(owner: ast.AST, node: ast.AST) -> bool:
    match owner:
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) | ast.Assert(test=test):
            return node is test
        case ast.comprehension(ifs=ifs):
            return node in ifs
        case ast.match_case(pattern=pattern, guard=guard):
            return node in (pattern, guard)
        case _:
            return isinstance(node, ast.BoolOp)  # as a value: `x or default`


def only_raises(block: Sequence[ast.stmt]) -> bool:
    """Whether a block of statements ends in an error, whatever happens in it."""
    leaves = (ast.Return, ast.Yield, ast.YieldFrom, ast.Break, ast.Continue)
    if any(isinstance(node, leaves) for statement in block for node in ast.walk(statement)):
        return False
    match block[-1] if block else None:
        case ast.Raise() | ast.Assert(test=ast.Constant(value=False)):
            return True
        case ast.If(body=body, orelse=orelse):
            return only_raises(body) and only_raises(orelse)
        case _:
            return False


_TELLS = frozenset({"print", "log", "debug", "info", "warning", "warn"})
"""Functions that only tell somebody something."""


def only_tells(block: Sequence[ast.stmt]) -> bool:
    """Whether a block of statements is empty, or only prints and logs."""
    return all(isinstance(one, ast.Pass) or tells(one) for one in block)


def tells(statement: ast.stmt) -> bool:
    """Whether a statement only prints or logs."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name))):
            return name in _TELLS
        case _:
            return False


def means(name: str, jumped: bool, test: ast.AST) -> bool:
    """Whether a test was true where a conditional jump, by its name in `dis`, was taken or not."""
    if "NONE" not in name:
        return jumped == ("TRUE" in name)
    is_none = jumped == ("NOT_NONE" not in name)
    is_not = isinstance(test, ast.Compare) and any(isinstance(op, ast.IsNot) for op in test.ops)
    return is_none != is_not


_ASKS_HOW_IT_RUNS = frozenset(
    {"is_scripting", "is_tracing", "is_compiling", "is_exporting", "is_in_onnx_export", "is_dynamo_compiling"}
)


def in_deployment(test: ast.AST) -> bool | None:
    """What a test always is in deployment, of `self.training` or `torch.jit.is_tracing()`; None: that depends."""
    match test:
        case ast.Attribute(attr="training"):
            return False
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name in _ASKS_HOW_IT_RUNS:
            return False
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            known = in_deployment(operand)
            return None if known is None else not known
        case ast.BoolOp(op=op, values=values):
            decides = isinstance(op, ast.Or)
            return decides if any(in_deployment(value) is decides for value in values) else None
        case _:
            return None


Statement = tuple[ast.stmt, Span]
"""A statement, and the place of what of it runs by itself: the head of an `if`, the whole of an assignment."""


def statements(function: Function) -> Iterator[Statement]:
    """The statements of a function that lead to an answer: without its docstring and what only raises an error."""
    body = function.body
    has_docstring = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    yield from _in_block(body[1:] if has_docstring else body)


def _in_block(block: Sequence[ast.stmt]) -> Iterator[Statement]:
    if only_raises(block):
        return
    for statement in block:
        if (head := _head(statement)) is not None:
            yield statement, head
        for inner in _blocks(statement):
            yield from _in_block(inner)
        if isinstance(statement, ast.If) and in_deployment(statement.test) and _leaves(statement.body):
            return


def _blocks(statement: ast.stmt) -> Iterator[Sequence[ast.stmt]]:
    """The blocks of a statement that belong to the same function, and that deployment may reach."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return  # counted by itself, once it is called
        case ast.If(test=test, body=body, orelse=orelse):
            known = in_deployment(test)
            yield from (block for block, side in ((body, True), (orelse, False)) if known in (None, side))
        case ast.Match(cases=parts):
            yield from (part.body for part in parts)
        case _:
            yield from (getattr(statement, name, ()) for name in ("body", "orelse", "finalbody"))
            yield from (handler.body for handler in getattr(statement, "handlers", ()))


def _leaves(block: Sequence[ast.stmt]) -> bool:
    return isinstance(block[-1], ast.Return | ast.Raise)


def _head(statement: ast.stmt) -> Span | None:
    match statement:
        case ast.Try() | ast.TryStar() | ast.Global() | ast.Nonlocal() | ast.Pass() | ast.Raise() | ast.Assert():
            return None
        case ast.If(test=head) | ast.While(test=head) | ast.For(iter=head) | ast.Match(subject=head):
            return span_of(head)
        case ast.With(items=items):
            return span_of(items[0].context_expr)
        case ast.FunctionDef() | ast.ClassDef() | ast.AsyncFunctionDef():
            return None
        case _:
            return span_of(statement)


@cache
def source_file(filename: str) -> SourceFile | None:
    """None where there is no source, or none that Python can parse."""
    lines = linecache.getlines(filename)
    try:
        return SourceFile(filename, lines, ast.parse("".join(lines))) if lines else None
    except (SyntaxError, ValueError):
        return None


def assignments_of(attribute: str, code: CodeType) -> Iterator[tuple[str, int]]:
    """Where a function gives an attribute a value, or changes the list or dict that it holds: file and line."""
    source = source_file(code.co_filename)
    function = source.function(code) if source else None
    for node in ast.walk(function) if function else ():
        match node:
            case (
                ast.Attribute(attr=name, ctx=ast.Store())
                | ast.Subscript(value=ast.Attribute(attr=name), ctx=ast.Store())
                | ast.Call(
                    func=ast.Attribute(
                        value=ast.Attribute(attr=name),
                    )
                )
            ) if name == attribute:
                yield code.co_filename, node.lineno
