"""lit_export.proof.source_code: conditionals by their place in the source, and what their sides lead to."""

import ast
from pathlib import Path

import pytest

from lit_export.proof.source_code import SourceFile, means, only_raises, source_file, span_of, statements


def parsed(text: str) -> SourceFile:
    return SourceFile("x.py", text.splitlines(), ast.parse(text))


def place_of(text: str, piece: str) -> tuple[int, int, int, int]:
    """Where a piece of a one-line text is."""
    lines = text.splitlines()
    line = next(index for index, one in enumerate(lines) if piece in one)
    return line + 1, line + 1, lines[line].index(piece), lines[line].index(piece) + len(piece)


@pytest.mark.parametrize(
    ("text", "test", "owner"),
    [
        ("if a.b:\n    x = 1", "a.b", ast.If),
        ("while a and not b:\n    x = 1", "b", ast.While),
        ("x = 1 if (n := len(a)) else 2", "n", ast.IfExp),
        ("x = [y for y in z if y.ok]", "y.ok", ast.comprehension),
        ("x = a.b or c", "a.b", ast.Assign),
        ("assert good", "good", ast.Assert),
        ("match a:\n    case 17:\n        x = 1", "17", ast.match_case),
    ],
)
def test_a_conditional_is_found_by_the_place_of_its_test(text: str, test: str, owner: type) -> None:
    found = parsed(text).conditional([place_of(text, test)])
    assert found is not None
    assert isinstance(found.owner, owner)


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("x = f(a)", "f(a)"),
        ("with a.b:\n    x = 1", "a.b"),
        ("try:\n    x = 1\nexcept E:\n    x = 2", "E"),
        ("x = 1 if a else 2", "2"),
    ],
)
def test_what_only_looks_like_a_conditional_when_compiled_is_none(text: str, piece: str) -> None:
    assert parsed(text).conditional([place_of(text, piece)]) is None


@pytest.mark.parametrize(
    ("text", "test", "side", "nowhere"),
    [
        ("if bad:\n    raise E", "bad", True, True),
        ("if bad:\n    raise E", "bad", False, False),
        ("if not good:\n    text = 'no'\n    raise E(text)", "good", False, True),
        ("if a or worse:\n    raise E", "worse", True, True),
        ("def f():\n    if good:\n        return 1\n    raise E", "good", False, True),
        ("if a:\n    x = 1\nelif bb:\n    x = 2\nelse:\n    raise E", "bb", False, True),
        ("if a:\n    if b:\n        return 1\n    raise E", "a", True, False),
        ("assert good", "good", False, True),
        ("x = a or b", "a", False, False),
        ("if self.training:\n    x = 1", "self.training", True, True),
        ("if not self.training:\n    x = 1\nelse:\n    x = 2", "self.training", True, True),
        ("x = 1 if torch.jit.is_scripting() else 2", "torch.jit.is_scripting()", True, True),
    ],
)
def test_a_side_that_no_answer_comes_of_leads_nowhere(text: str, test: str, side: bool, nowhere: bool) -> None:
    source = parsed(text)
    conditional = source.conditional([place_of(text, test)])
    assert conditional is not None
    assert source.leads_nowhere(conditional, side) is nowhere


def test_a_block_that_may_return_before_its_error_does_not_only_raise() -> None:
    assert only_raises(ast.parse("x = 1\nraise E").body)
    assert not only_raises(ast.parse("def f():\n    if a:\n        return 1\n    raise E").body[0].body)  # type: ignore[attr-defined]
    assert not only_raises([])


@pytest.mark.parametrize(
    ("name", "jumped", "test", "true"),
    [
        ("POP_JUMP_FORWARD_IF_FALSE", True, "a", False),
        ("POP_JUMP_IF_TRUE", True, "a", True),
        ("JUMP_IF_TRUE_OR_POP", False, "a", False),
        ("POP_JUMP_IF_NOT_NONE", True, "a is None", False),
        ("POP_JUMP_IF_NOT_NONE", False, "a is not None", False),
        ("POP_JUMP_IF_NONE", True, "a is None", True),
    ],
)
def test_the_way_a_jump_went_says_whether_its_test_was_true(name: str, jumped: bool, test: str, true: bool) -> None:
    assert means(name, jumped, ast.parse(test, mode="eval").body) is true


def test_statements_are_those_that_lead_to_an_answer() -> None:
    text = '''def f(self, x):
    """Words."""
    if x is None:
        raise ValueError("no x")
    if self.training:
        x = noisy(x)
        log(x)
    elif self.flag:
        x = 1
    try:
        y = x
    except KeyError:
        y = 2

    def inner(z):
        return z

    for part in y:
        y += part
    if not self.training:
        return inner(y)
    return loss(y)
'''
    function = parsed(text).tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    assert [statement.lineno for statement, _ in statements(function)] == [3, 5, 8, 9, 11, 13, 18, 19, 20, 21]


def test_the_head_of_a_statement_is_what_of_it_runs_by_itself() -> None:
    function = parsed("def f(x):\n    if x > 1:\n        return 2\n").tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    (_, head), _ = statements(function)
    assert head == (2, 2, 7, 12)


def test_a_file_without_source_or_that_python_cannot_parse_is_none(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text("if x\n")
    assert source_file(str(tmp_path / "wrong.py")) is None
    assert source_file(str(tmp_path / "missing.py")) is None
    here = source_file(__file__)
    assert here is not None
    assert here.text(1).startswith('"""lit_export.proof.source_code')
    assert here.function(test_a_file_without_source_or_that_python_cannot_parse_is_none.__code__) is not None
    assert here.function((lambda: 0).__code__) is None
    assert span_of(here.tree.body[0])[0] == 1
