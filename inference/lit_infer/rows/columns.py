"""Columns of a table to the arrays that the graph takes, as training prepared them; a bad value is its row's alone."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.column_values import DictionaryColumn
from lit_infer.errors import InputError
from lit_infer.rows.arrays import RowGroup
from lit_infer.rows.blocks import RowBlock
from lit_infer.rows.facts import BooleanColumn, CategoryColumn, NumberColumn, RowFields, TableColumn, is_index_input

MISSING_NUMBERS = frozenset({"", "NA", "N/A", "NaN", "nan", "null"})
"""What a text file has where there is no number."""
_WORDS = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, "yes": 1.0, "no": 0.0}
_SHOWN = 40

Errors = dict[int, InputError]


@dataclass(frozen=True)
class ColumnFields:
    """What a row of a table holds."""

    facts: RowFields
    order: tuple[str, ...] = ()
    """The names of the graph's inputs in its order: a manifest keeps none for those of the facts. Empty: the facts'."""

    @property
    def names(self) -> tuple[str, ...]:
        """What a row has a value for."""
        return tuple(column.name for column in self.facts.columns)

    def is_number(self, name: str) -> bool:
        """Whether a column holds numbers, and not categories or booleans."""
        return name in self._numeric

    @cached_property
    def _numeric(self) -> frozenset[str]:
        return frozenset(column.name for column in self.facts.columns if column.number is not None)

    @property
    def is_ragged(self) -> bool:
        """Every row has the same numbers."""
        return False

    def block(self, items: Sequence[Any]) -> RowBlock:
        """Rows that a caller gives: each a mapping from names to values; None is a missing value."""
        errors: Errors = {}
        for index, item in enumerate(items):
            if not isinstance(item, Mapping):
                errors[index] = InputError(f"a row is a mapping, not {type(item).__name__}", code="bad_row")
            elif missing := [name for name in self.names if name not in item]:
                errors[index] = InputError(f"the row has no {', '.join(missing)}", code="missing")
        rows = [None if index in errors else item for index, item in enumerate(items)]
        columns = {name: [None if row is None else row[name] for row in rows] for name in self.names}
        return RowBlock(len(items), columns, errors)

    def groups(self, block: RowBlock, size: int | None = None) -> tuple[list[RowGroup], Mapping[int, InputError]]:
        """All rows as one group, prepared; a bad one is zeros, so that the arithmetic of its neighbours stays."""
        del size
        errors: Errors = dict(block.errors)
        if len(errors) == block.count:
            return [], errors
        made = {}
        for column in self.facts.columns:
            found = self._prepared[column.name](block.columns[column.name], errors)
            made[column.name] = found if found.ndim == 2 else found[:, None]
        arrays = []
        inputs = self.facts.of_inputs()
        for columns in (inputs[name] for name in self.order or inputs):
            array = np.concatenate([made[column.name] for column in columns], axis=1)
            array = array.astype(np.int64 if is_index_input(columns) else np.float32, copy=False)
            array[list(errors)] = 0
            arrays.append(np.ascontiguousarray(array))
        return [RowGroup(range(block.count), tuple(arrays))], errors

    @cached_property
    def _prepared(self) -> dict[str, Callable[[Any, Errors], NDArray[Any]]]:
        return {column.name: _preparing(column) for column in self.facts.columns}


def _preparing(column: TableColumn) -> Callable[[Any, Errors], NDArray[Any]]:
    """The function from a column's values to numbers [rows] or [rows, width]; it adds what is wrong to the errors."""
    kind, name = column.kind, column.name
    if isinstance(kind, NumberColumn):
        return lambda values, errors: _numbers(values, name, kind, errors)
    if isinstance(kind, BooleanColumn):
        return lambda values, errors: _by_value(values, errors, lambda few, bad: _booleans(few, name, kind, bad))
    index = {str(category): place for place, category in enumerate(kind.vocabulary)}
    return lambda values, errors: _by_value(values, errors, lambda few, bad: _categories(few, name, kind, index, bad))


def _by_value(values: Any, errors: Errors, prepare: Callable[[Any, Errors], NDArray[Any]]) -> NDArray[Any]:
    """What `prepare` makes of each value, where it is asked once for those that repeat."""
    if not isinstance(values, DictionaryColumn) and set(map(type, values)) <= {str, NoneType}:
        values = DictionaryColumn.of(values)
    if not isinstance(values, DictionaryColumn):
        return prepare(values, errors)
    bad: Errors = {}
    made = prepare(values.values, bad)
    for place, error in bad.items():
        for row in np.flatnonzero(values.indices == place).tolist():
            errors.setdefault(row, error)
    return np.asarray(made[values.indices])


def _numbers(values: Any, name: str, kind: NumberColumn, errors: Errors) -> NDArray[Any]:
    array = _floats(values, name, errors)
    missing = np.isnan(array)
    if missing.any():
        if kind.missing is not None:
            array = np.where(missing, kind.missing, array)
        else:
            for row in np.flatnonzero(missing):
                _blame(errors, int(row), f"{name} is missing", "missing")
    if (infinite := np.isinf(array)).any():
        for row in np.flatnonzero(infinite):
            _blame(errors, int(row), f"{name} is {array[row]}, which is no finite number", "bad_value")
    with np.errstate(all="ignore"):  # of rows with an error, which become zeros
        array = array.astype(kind.precision, copy=True)
        # In place, as scikit-learn does it: float32 minus a float64 mean is computed in float64 and rounded.
        np.subtract(array, np.float64(kind.mean), out=array, casting="same_kind", dtype=np.float64)
        np.divide(array, np.float64(kind.scale), out=array, casting="same_kind", dtype=np.float64)
        made = array.astype(np.float32)
    if (large := np.isinf(made)).any():
        for row in np.flatnonzero(large):
            _blame(errors, int(row), f"{name} is too large for float32", "bad_value")
    return made


def _floats(values: Any, name: str, errors: Errors) -> NDArray[np.float64]:
    """float64 [rows], NaN for what is missing or no number."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiu":
        return values.astype(np.float64)
    if isinstance(values, DictionaryColumn):
        return _by_value(values, errors, lambda few, bad: _floats(few, name, bad))
    with suppress(ValueError, OverflowError):  # then it is told which one
        types = set(map(type, values))
        if types == {str} and is_plain("".join(values)):
            return np.array([np.nan if text in MISSING_NUMBERS else float(text) for text in values])
        if types <= {float, int, NoneType}:
            return np.array(values, dtype=np.float64)
    made = np.empty(len(values))
    for row, value in enumerate(values):
        if value is None or (isinstance(value, str) and value.strip() in MISSING_NUMBERS):
            made[row] = np.nan
            continue
        try:
            if isinstance(value, bool) or not isinstance(value, str | int | float | np.number):
                raise TypeError
            if isinstance(value, str) and not is_plain(value.strip()):
                raise ValueError
            made[row] = float(value)
        except (TypeError, ValueError, OverflowError):
            made[row] = 0.0
            _blame(errors, row, f"{name} is {_shown(value)}, not a number", "bad_value")
    return made


def is_plain(text: str) -> bool:
    """Whether text has nothing that only Python reads as part of a number: 1_000, or the digits of other scripts."""
    return text.isascii() and "_" not in text


def _booleans(values: Any, name: str, kind: BooleanColumn, errors: Errors) -> NDArray[Any]:
    made = np.zeros(len(values), dtype=np.float32)
    for row, value in enumerate(values):
        if _is_missing(value):
            if kind.missing is None:
                _blame(errors, row, f"{name} is missing", "missing")
            else:
                made[row] = kind.missing
            continue
        word = _WORDS.get(_text(value).strip().lower())
        if word is None:
            _blame(errors, row, f"{name} is {_shown(value)}, neither true nor false", "bad_value")
        else:
            made[row] = word
    return made


def _categories(values: Any, name: str, kind: CategoryColumn, index: Mapping[str, int], errors: Errors) -> NDArray[Any]:
    made = np.zeros(len(values), dtype=np.int64)
    for row, value in enumerate(values):
        if _is_missing(value):
            place, said, code = kind.missing, f"{name} is missing", "missing"
        else:
            place, said, code = index.get(_text(value)), "", "unknown_category"
            if place is None:
                place = kind.unknown
                said = f"{name} is {_shown(value)}, which is none of its {len(index)} categories"
        if place is None:
            _blame(errors, row, said, code)
        else:
            made[row] = place
    if not kind.one_hot:
        return made
    return np.asarray(made[:, None] == np.arange(len(index)), dtype=np.float32)


def _is_missing(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float | np.floating) and bool(np.isnan(value)))


def _text(value: Any) -> str:
    """A value as a text file would have it: whole floats without a fraction, as spreadsheets and pandas make them."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _blame(errors: Errors, row: int, said: str, code: str) -> None:
    """The first thing that is wrong with a row is told."""
    if row not in errors:
        errors[row] = InputError(said, code=code)
