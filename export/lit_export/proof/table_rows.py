"""Rows of a table to compare on: made-up ones, and those of a file, as the runtime reads and prepares them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lit_infer.errors import InputError, UsageError
from lit_infer.rows.blocks import RowBlock
from lit_infer.rows.columns import ColumnFields
from lit_infer.rows.facts import RowFields, TableColumn, is_index_input
from lit_infer.rows.files import Wanted, readers_of
from lit_infer.tensors import Arrays

_MOST = 512
"""Rows of a file that are compared on."""
_SCALES = (1.0, 0.1, 3.0)


def noise(fields: RowFields, generator: np.random.Generator, batch: int) -> Arrays:
    """Prepared rows: standardised numbers at several scales, any index of a category, true and false."""
    arrays = []
    for columns in fields.of_inputs().values():
        parts = [_drawn(column, generator, batch) for column in columns]
        dtype = np.int64 if is_index_input(columns) else np.float32
        arrays.append(np.ascontiguousarray(np.concatenate(parts, axis=1), dtype=dtype))
    return tuple(arrays)


def _drawn(column: TableColumn, generator: np.random.Generator, batch: int) -> Any:
    if column.number is not None:
        return generator.normal(size=(batch, 1)) * _SCALES[batch % len(_SCALES)]
    if column.boolean is not None:
        return generator.integers(0, 2, (batch, 1))
    assert column.category is not None  # noqa: S101 - one of the three
    kind = column.category
    places = {*range(len(kind.vocabulary)), *(one for one in (kind.unknown, kind.missing) if one is not None)}
    drawn = generator.choice(sorted(places), (batch, 1))
    return drawn == np.arange(len(kind.vocabulary)) if kind.one_hot else drawn


def made_up(fields: RowFields, count: int) -> list[dict[str, Any]]:
    """Raw rows: numbers about their mean, every category in turn, missing and unknown values where allowed."""
    generator = np.random.default_rng(0)
    return [{column.name: _raw(column, row, generator) for column in fields.columns} for row in range(count)]


def _raw(column: TableColumn, row: int, generator: np.random.Generator) -> Any:
    turn = row % 7
    if column.number is not None:
        if turn == 6 and column.number.missing is not None:
            return None
        return float(column.number.mean + column.number.scale * generator.normal() * _SCALES[row % len(_SCALES)])
    if column.boolean is not None:
        return None if turn == 6 and column.boolean.missing is not None else bool(generator.integers(2))
    assert column.category is not None  # noqa: S101 - one of the three
    if turn == 6 and column.category.missing is not None:
        return None
    if turn == 5 and column.category.unknown is not None and isinstance(column.category.vocabulary[0], str):
        return "none of them"
    return column.category.vocabulary[row % len(column.category.vocabulary)]


@dataclass(frozen=True)
class TableRows:
    """Rows of a file: raw, and prepared as the runtime does it."""

    source: str
    raw: tuple[dict[str, Any], ...]
    arrays: Arrays

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.raw)

    def drawn(self, generator: np.random.Generator, batch: int) -> Arrays:
        """So many of them, prepared: none twice while there are enough."""
        chosen = generator.permutation(self.count)[:batch]
        if len(chosen) < batch:
            chosen = np.concatenate([chosen, generator.integers(self.count, size=batch - len(chosen))])
        return tuple(np.ascontiguousarray(array[chosen]) for array in self.arrays)


def real(fields: RowFields, path: Path) -> TableRows:
    """The first rows of a file that the runtime can prepare. Raises UsageError where there are none."""
    runtime = ColumnFields(fields)
    reader = readers_of(runtime).get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"--rows {path}: expected a {', '.join(readers_of(runtime))} file")
    raw: list[dict[str, Any]] = []
    parts: list[Arrays] = []
    reasons: list[str] = []
    try:
        for block in reader.blocks(path, Wanted(runtime, {}), _MOST):
            groups, errors = runtime.groups(block)
            reasons += [str(error) for error in errors.values()]
            good = [row for row in range(block.count) if row not in errors]
            parts += [tuple(array[good] for array in group.arrays) for group in groups]
            raw += list(typed(fields, block, good))
            if len(raw) >= _MOST:
                break
    except InputError as error:
        raise UsageError(f"--rows {path}: {error}") from None
    if not raw:
        raise UsageError(f"--rows {path} has no row that can be prepared{': ' + reasons[0] if reasons else ''}")
    arrays = tuple(np.concatenate(column) for column in zip(*parts, strict=True))
    return TableRows(path.name, tuple(raw), arrays)


def typed(fields: RowFields, block: RowBlock, rows: list[int]) -> Iterator[dict[str, Any]]:
    """Rows as training's code has them, and not as text: numbers, categories as the vocabulary has them, None."""
    for row in rows:
        yield {column.name: _typed(column, block.columns[column.name][row]) for column in fields.columns}


def _typed(column: TableColumn, value: Any) -> Any:
    if value is None or value == "" or (isinstance(value, float) and np.isnan(value)):
        return None
    if column.number is not None:
        try:
            number = float(value)
        except ValueError:  # NA and the like: it is a good row, so the value is missing
            return None
        return None if np.isnan(number) else number
    if column.boolean is not None:
        return str(value).strip().lower() in {"true", "1", "1.0", "yes"}
    known = {str(one): one for one in column.category.vocabulary} if column.category is not None else {}
    return known.get(str(value), value)
