"""What is wanted of a file of rows, and what a reader of a format is."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer import progress
from lit_infer.errors import InputError, UsageError
from lit_infer.rows.arrays import ArrayFields
from lit_infer.rows.blocks import RowBlock
from lit_infer.rows.fields import HasNames

_READ_BYTES = 2**22
_READ_ROWS = 2**14


@dataclass(frozen=True)
class Wanted:
    """The values that a model takes, and the columns to carry over."""

    fields: HasNames
    columns: Mapping[str, str]
    """By the name of an input: what the file calls it, where that is something else."""
    keep: tuple[str, ...] = ()
    _kept: set[str] = field(default_factory=set, init=False, repr=False, compare=False)
    """Columns to carry over that a file had: one that no file has is a slip of the pen."""

    @property
    def arrays(self) -> ArrayFields:
        """The fields of a model that takes bare arrays."""
        if not isinstance(self.fields, ArrayFields):
            raise InputError("it holds arrays, and the model takes the columns of a table", code="unknown_format")
        return self.fields

    def source(self, name: str) -> str:
        """What the file calls an input."""
        return self.columns.get(name, name)

    def check_columns(self) -> None:
        """Raise UsageError for a `--column` of a value that the model does not take."""
        for name in self.columns:
            if name not in self.fields.names:
                takes = ", ".join(self.fields.names)
                raise UsageError(f"--column {name}={self.columns[name]}: the model takes {takes}")

    def check_names(self, found: Sequence[str]) -> None:
        """Raise InputError for a file that lacks a column; one that is not used is said once."""
        self.check_kept(found)
        missing = [one for one in (*map(self.source, self.fields.names), *self.keep) if one not in found]
        if missing:
            raise InputError(
                f"there is no {missing[0]} in it, only {', '.join(filter(None, found)) or 'nothing'} "
                "(--column INPUT=NAME says what an input is called here)",
                code="missing",
            )
        self._tell_unused(found)

    def check_kept(self, found: Collection[str]) -> None:
        """Raise UsageError for a column to carry over that neither this file nor one before it has."""
        self._kept.update(name for name in self.keep if name in found)
        if missing := [name for name in self.keep if name not in self._kept]:
            raise UsageError(
                f"--keep {missing[0]}: there is no such column, only {', '.join(filter(None, found)) or 'nothing'}"
            )

    def check_some(self, found: Sequence[str]) -> None:
        """As `check_names`, where a row may lack a value, but not every one of them."""
        if not {*map(self.source, self.fields.names)} & {*found}:
            self.check_names(found)
        self._tell_unused(found)

    def _tell_unused(self, found: Sequence[str]) -> None:
        used = {*map(self.source, self.fields.names), *self.keep}
        if unused := [name for name in found if name and name not in used]:
            progress.note_once(f"not used: {', '.join(unused)}")


@dataclass(frozen=True)
class RowReader:
    """How files of a format are read."""

    blocks: Callable[[Path, Wanted, int], Iterator[RowBlock]]
    """The rows, so many at a time."""
    count: Callable[[Path, Wanted], int | None]
    """How many there are; None if that would take reading the file."""


def rows_to_read(size: int, row_bytes: float) -> int:
    """How many rows to read at once where batches have `size` and a row so many bytes: whole batches, some MB."""
    return size * max(1, min(int(_READ_BYTES / (max(1.0, row_bytes) * size)), _READ_ROWS // size))


def checked_count(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """The number of rows of arrays, which must be the same for all."""
    counts = {name: shape[0] for name, shape in shapes.items()}
    if len(set(counts.values())) > 1:
        (first, rows), *others = counts.items()
        name, other = next((name, count) for name, count in others if count != rows)
        raise InputError(f"{first} has {rows:,} rows and {name} {other:,}", code="bad_shape")
    return next(iter(counts.values()))


def kept_values(name: str, array: NDArray[Any]) -> list[Any]:
    """A column to carry over, as plain values. Raises InputError for one that is not a value for each row."""
    if array.ndim != 1 or array.dtype.kind not in "biufUS":
        raise InputError(
            f"--keep {name}: it is {array.dtype} {list(array.shape)}, not a value for each row", code="bad_shape"
        )
    values: list[Any] = (
        np.char.decode(array, "utf-8", "replace").tolist() if array.dtype.kind == "S" else array.tolist()
    )
    return values
