"""Arrays that lie in a file one after the other, read a few rows at a time: memory does not grow with the file.

They are read, not mapped: a file that is cut off while it is read would end the process by a signal otherwise.
"""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lit_infer.errors import InputError
from lit_infer.held_file import HeldFile
from lit_infer.rows.blocks import RowBlock
from lit_infer.rows.files.wanted import Wanted, checked_count, kept_values, rows_to_read


class StoredArray(Protocol):
    """An array in a file."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its values."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of all of it."""

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Some of its rows, asked for in order. Raises InputError where the file ends before."""


@dataclass(frozen=True)
class PlainArray:
    """An array whose bytes lie in the file as they are in memory, row by row or column by column."""

    file: HeldFile
    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_fortran: bool = False

    def __post_init__(self) -> None:
        if self.offset + math.prod(self.shape) * self.dtype.itemsize > self.file.size:
            raise InputError("the file ends before its array does", code="truncated")

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Some of its rows."""
        if self.is_fortran and len(self.shape) > 1:
            return self._of_columns(start, stop)
        size = math.prod(self.shape[1:]) * self.dtype.itemsize
        return self._array(self.offset + start * size, (stop - start, *self.shape[1:]))

    def _of_columns(self, start: int, stop: int) -> NDArray[Any]:
        """The first side varies fastest: a run of bytes for each place in a row."""
        count, size = self.shape[0], self.dtype.itemsize
        places = math.prod(self.shape[1:])
        runs = [self._array(self.offset + (place * count + start) * size, (stop - start,)) for place in range(places)]
        rows = np.stack(runs, axis=1) if runs else np.empty((stop - start, 0), dtype=self.dtype)
        return np.ascontiguousarray(rows.reshape((stop - start, *self.shape[1:]), order="F"))

    def _array(self, offset: int, shape: tuple[int, ...]) -> NDArray[Any]:
        data = self.file.region(offset, math.prod(shape) * self.dtype.itemsize)
        if len(data) != math.prod(shape) * self.dtype.itemsize:
            raise InputError("the file was cut off while it was read", code="truncated")
        return np.frombuffer(data, dtype=self.dtype).reshape(shape)


@dataclass(frozen=True)
class ArrayFile:
    """The arrays of one file, by name."""

    arrays: Mapping[str, StoredArray]
    is_nameless: bool = False
    """Whether the file has one array without a name of its own."""

    def wanted(self, wanted: Wanted) -> tuple[dict[str, StoredArray], bool]:
        """The array for each input; and whether they are a single row, without the side of the rows.

        Raises InputError for arrays that the model does not take.
        """
        fields = wanted.arrays
        if self.is_nameless:
            wanted.check_kept(())
        if self.is_nameless and len(fields.names) == 1 and fields.names[0] not in wanted.columns:
            found = {fields.names[0]: next(iter(self.arrays.values()))}
        elif self.is_nameless:
            takes = ", ".join(fields.names)
            raise InputError(
                f"it has one array without a name, and the model takes {takes}: save an .npz", code="missing"
            )
        else:
            wanted.check_names(list(self.arrays))
            found = {name: self.arrays[wanted.source(name)] for name in fields.names}
        dims = {name: len(array.shape) + 1 for name, array in found.items()}
        is_row = all(dims[tensor.name] == len(tensor.shape) for tensor in fields.tensors)
        for name, array in found.items():
            fields.check(name, array.dtype, array.shape, is_row=is_row)
        fields.check_sides({name: array.shape if is_row else array.shape[1:] for name, array in found.items()})
        return found, is_row

    def blocks(self, wanted: Wanted, size: int) -> Iterator[RowBlock]:
        """The rows, so many at a time."""
        found, is_row = self.wanted(wanted)
        kept = {name: self.arrays[name] for name in wanted.keep if name in self.arrays}
        if is_row:
            yield RowBlock(1, {name: _whole(array)[None] for name, array in found.items()})
            return
        count = checked_count({name: array.shape for name, array in {**found, **kept}.items()})
        size = rows_to_read(size, sum(math.prod(one.shape[1:]) * one.dtype.itemsize for one in found.values()))
        for start in range(0, count, size):
            began = time.perf_counter()
            stop = min(start + size, count)
            columns = {name: array.rows(start, stop) for name, array in found.items()}
            carried = {name: kept_values(name, array.rows(start, stop)) for name, array in kept.items()}
            yield RowBlock(stop - start, columns, kept=carried, read_ms=(time.perf_counter() - began) * 1e3)

    def count(self, wanted: Wanted) -> int:
        """How many rows there are."""
        found, is_row = self.wanted(wanted)
        return 1 if is_row else checked_count({name: array.shape for name, array in found.items()})


def _whole(array: StoredArray) -> NDArray[Any]:
    """An array that is one row: its own first side is read as if it were the rows."""
    return array.rows(0, array.shape[0]) if array.shape else array.rows(0, 1).reshape(())
