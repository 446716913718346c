"""The values of a column of rows: an array, a list, or one of these, which readers give and writers take."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class DictionaryColumn:
    """Values that repeat, as Arrow's dictionary encoding has them."""

    indices: NDArray[Any]
    """For each row its place in `values`."""
    values: Sequence[Any]

    @classmethod
    def constant(cls, value: Any, count: int) -> "DictionaryColumn":
        """The same value in each row."""
        return cls(np.zeros(count, dtype=np.int32), [value])

    @classmethod
    def of(cls, values: Sequence[Any]) -> "DictionaryColumn":
        """A list of hashable values, of which equal ones are the same."""
        found = {value: place for place, value in enumerate(dict.fromkeys(values))}
        return cls(np.fromiter(map(found.__getitem__, values), np.int32, len(values)), list(found))

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[Any]:
        return map(self.values.__getitem__, self.indices.tolist())

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return DictionaryColumn(self.indices[key], self.values)
        return self.values[self.indices[key]]


@dataclass(frozen=True, slots=True, eq=False)
class RaggedColumn:
    """Lists of different lengths, one after the other."""

    flat: NDArray[Any]
    lengths: NDArray[np.int64]

    def lists(self) -> list[NDArray[Any]]:
        """Each row's numbers."""
        return np.split(self.flat, np.cumsum(self.lengths)[:-1]) if len(self.lengths) else []


@dataclass(frozen=True, slots=True, eq=False)
class ChoicesColumn:
    """The best classes of each row, best first."""

    indices: NDArray[Any]
    """[rows, classes]."""
    scores: NDArray[Any]
    labels: Sequence[str] | None

    def label(self, index: int) -> str:
        """What a class is called."""
        return self.labels[index] if self.labels else str(index)

    def row(self, number: int) -> list[dict[str, Any]]:
        """Those of one row, as its `top` has them."""
        pairs = zip(self.indices[number].tolist(), self.scores[number].tolist(), strict=True)
        return [{"label": self.label(index), "index": index, "score": score} for index, score in pairs]


RowValues = NDArray[Any] | DictionaryColumn | Sequence[Any]
"""What a reader gives: an array [rows, …], or a value for each row."""
ColumnValues = RowValues | RaggedColumn | ChoicesColumn
"""What a writer takes."""


def value_at(values: ColumnValues, row: int) -> Any:
    """A row's value as plain data."""
    if isinstance(values, ChoicesColumn):
        return values.row(row)
    if isinstance(values, RaggedColumn):
        start = int(values.lengths[:row].sum())
        return values.flat[start : start + int(values.lengths[row])].tolist()
    found = values[row]
    return found.tolist() if isinstance(found, np.ndarray | np.generic) else found


def chained(columns: Sequence[RowValues]) -> RowValues:
    """Columns of one kind, one after the other."""
    if all(isinstance(column, np.ndarray) for column in columns):
        return np.concatenate([np.asarray(column) for column in columns])
    if all(isinstance(column, DictionaryColumn) for column in columns):
        return _one_dictionary(cast(Sequence[DictionaryColumn], columns))
    return [value for column in columns for value in cast(Sequence[Any], column)]


def _one_dictionary(columns: Sequence[DictionaryColumn]) -> DictionaryColumn:
    first = columns[0].values
    if all(column.values == first for column in columns):
        return DictionaryColumn(np.concatenate([column.indices for column in columns]), first)
    places: dict[tuple[type, Any], int] = {}  # 1, 1.0 and True are equal, and not the same
    parts = []
    for column in columns:
        own = [places.setdefault((type(value), value), len(places)) for value in column.values]
        parts.append(np.array(own, dtype=np.int32)[column.indices])
    return DictionaryColumn(np.concatenate(parts), [value for _, value in places])
