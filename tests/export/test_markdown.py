"""lit_export.markdown: strings of others are shown as they are."""

import pytest

from lit_export.markdown import literal, table


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a_b c", "a_b c"),
        ("_a_ *b*", r"\_a\_ \*b\*"),
        ("<b>[x](y)\n`z`", r"\<b\>\[x\](y) \`z\`"),
    ],
)
def test_nothing_in_a_text_is_markup(text: str, shown: str) -> None:
    assert literal(text) == shown


def test_a_table_has_no_empty_columns_and_no_torn_cells() -> None:
    assert table(("a", "b", "c"), [("1", None, "x|y"), ("2", "", "z")]) == "\n".join(
        ["| a | c |", "| --- | --- |", r"| 1 | x\|y |", "| 2 | z |"]
    )
