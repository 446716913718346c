"""Strings of others in Markdown, shown as they are."""

import re
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str | None]]) -> str:
    """A table without the columns in which no row has anything."""
    filled = list(rows)
    columns = [index for index in range(len(head)) if any(row[index] for row in filled)]
    lines = [[head[index] for index in columns], ["---"] * len(columns)]
    lines += [[_cell(row[index] or "") for index in columns] for row in filled]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return literal(text).replace("|", r"\|")


def literal(text: str) -> str:
    """Text in one line that Markdown shows literally; an underscore within a word has no meaning there."""
    return re.sub(r"([\\`*<>\[\]]|\b_|_\b)", r"\\\1", " ".join(text.split()))
