"""Labelled rows: those of the file behind `--data`, and the truth of each, in the columns that `--target` names."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lit_export.labelled import Labelled, Question
from lit_infer.column_values import value_at
from lit_infer.errors import GateError, InputError, UsageError
from lit_infer.rows.fields import Fields
from lit_infer.rows.files import RowReader, Wanted, readers_of

_AT_ONCE = 1024
Truth = Callable[[Sequence[Any], Mapping[str, Any]], Any]
"""From the cells that have the truth of a row, and the row's own values, to the truth. Raises InputError."""


def classes(question: Question) -> Labelled:
    """Rows, and the index of the class of each: its cell is a label, or an index where no label is meant."""
    labels = question.labels or [str(index) for index in range(question.size)]
    places = {label: place for place, label in enumerate(labels)}
    indices = {str(place): place for place in range(len(labels))}

    def truth(cells: Sequence[Any], _: Mapping[str, Any]) -> int:
        (cell,) = map(_text, cells)
        found = places.get(cell, indices.get(cell))
        if found is None:
            said = f"its {question.target[0]} is {cell!r}, and the classes are {', '.join(labels[:5])}"
            raise InputError(said, code="bad_value")
        return found

    return rows(question, truth, 1)


def values(question: Question) -> Labelled:
    """Rows, and the true numbers of each."""

    def truth(cells: Sequence[Any], _: Mapping[str, Any]) -> list[float]:
        try:
            found = [float(cell) for cell in cells]
        except (TypeError, ValueError):
            found = [np.nan]
        if not np.isfinite(found).all():
            said = f"its {', '.join(question.target)} is {', '.join(map(str, cells))}, and not a number"
            raise InputError(said, code="bad_value")
        return found

    return rows(question, truth, question.size)


def rows(question: Question, truth: Truth, count: int) -> Labelled:
    """Rows, and what `truth` makes of the columns that have it, so many."""
    assert question.fields is not None  # noqa: S101 - of a task on rows
    if len(question.target) != count:
        columns = "the column that has the truth" if count == 1 else f"the {count} columns that have the truth"
        raise UsageError(f"{question} needs {columns}: --target {'NAME' if count == 1 else 'NAME,NAME'}")
    readers = readers_of(question.fields)
    reader = readers.get(question.source.suffix.lower())
    if reader is None:
        raise UsageError(f"{question}: rows are read from {' '.join(sorted(readers))} files")
    return _LabelledRows(question.source, question.fields, question.target, reader, truth)


@dataclass(frozen=True)
class _LabelledRows:
    """Read a block at a time, as often as is asked."""

    source: Path
    fields: Fields
    target: tuple[str, ...]
    reader: RowReader
    truth: Truth

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        number = 0
        try:
            for block in self.reader.blocks(self.source, Wanted(self.fields, {}, self.target), _AT_ONCE):
                for row in range(block.count):
                    if row in block.errors:
                        raise block.errors[row]
                    cells = [value_at(block.kept[name], row) for name in self.target]
                    values = {name: block.columns[name][row] for name in self.fields.names}
                    yield values, self.truth(cells, values)
                    number += 1
        except InputError as error:
            raise GateError(f"--data {self.source}: row {number} cannot be used: {error}") from None


def _text(cell: Any) -> str:
    """As a text file has it: whole floats without a fraction."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
