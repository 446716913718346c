"""Some rows, column by column: what is read, prepared and answered at once."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from lit_infer.column_values import RowValues, chained
from lit_infer.errors import InputError


@dataclass(frozen=True, slots=True)
class RowBlock:
    """Rows as columns of equal length. A row in `errors` has a placeholder in each column, or none at all."""

    count: int
    columns: Mapping[str, RowValues] = field(default_factory=dict)
    errors: Mapping[int, InputError] = field(default_factory=dict)
    kept: Mapping[str, RowValues] = field(default_factory=dict)
    """Columns that go into the rows of the output as they are."""
    read_ms: float = 0.0

    @classmethod
    def of_error(cls, error: InputError) -> "RowBlock":
        """One row, which cannot be read."""
        return cls(1, errors={0: error})

    def taken(self, start: int, stop: int, step: int = 1) -> "RowBlock":
        """Some of the rows."""
        chosen = range(self.count)[start:stop:step]
        if len(chosen) == self.count:
            return self
        part = slice(start, stop, step)
        return RowBlock(
            len(chosen),
            {name: column[part] for name, column in self.columns.items()},
            {index: self.errors[row] for index, row in enumerate(chosen) if row in self.errors} if self.errors else {},
            {name: column[part] for name, column in self.kept.items()},
            self.read_ms * len(chosen) / max(1, self.count),
        )

    def read_since(self, began: float) -> "RowBlock":
        """The same, with the time that reading it took."""
        return replace(self, read_ms=(time.perf_counter() - began) * 1e3)

    def joins(self, other: "RowBlock") -> bool:
        """Whether the two can be one block: the same columns, with values of one shape."""
        return _layout(self) == _layout(other)


class HasRows(Protocol):
    """Rows, and what their owner knows of them."""

    @property
    def rows(self) -> RowBlock:
        """The rows."""


def joined(blocks: Sequence[RowBlock]) -> RowBlock:
    """Blocks that join, as one."""
    if len(blocks) == 1:
        return blocks[0]
    errors, start = {}, 0
    for block in blocks:
        errors.update({start + index: error for index, error in block.errors.items()})
        start += block.count
    return RowBlock(
        start,
        {name: chained([block.columns[name] for block in blocks]) for name in blocks[0].columns},
        errors,
        {name: chained([block.kept[name] for block in blocks]) for name in blocks[0].kept},
        sum(block.read_ms for block in blocks),
    )


def _layout(block: RowBlock) -> tuple[object, ...]:
    columns = (
        (name, values.dtype, values.shape[1:]) if isinstance(values, np.ndarray) else (name, type(values))
        for name, values in (*block.columns.items(), *block.kept.items())
    )
    return tuple(columns)
