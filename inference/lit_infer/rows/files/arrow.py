"""Parquet and Arrow files: columns of numbers, and of lists of numbers, as arrays. Extra `parquet`."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.column_values import DictionaryColumn
from lit_infer.errors import InputError, UsageError, require
from lit_infer.manifest import Tensor
from lit_infer.rows.arrays import ArrayFields
from lit_infer.rows.blocks import RowBlock
from lit_infer.rows.columns import ColumnFields
from lit_infer.rows.files.numpy_files import opened
from lit_infer.rows.files.wanted import RowReader, Wanted, rows_to_read
from lit_infer.tensors import Arrays

_INTEGERS = frozenset(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))
_NUMBERS = _INTEGERS | {"halffloat", "float", "double"}
_CATEGORIES = _INTEGERS | {"string", "large_string", "bool"}

_MOST_UNPACKED = 2**28
_BODY_ROWS = 4096

RecordBatches = Callable[[Any, Sequence[str] | None, int], Iterator[Any]]


@contextmanager
def _parquet(path: Path) -> Iterator[tuple[Any, RecordBatches]]:
    parquet = require("pyarrow.parquet", extra="parquet", purpose=f"Reading {path.name}")
    with parquet.ParquetFile(path, pre_buffer=False, buffer_size=2**18) as file:
        yield file, lambda file, names, size: file.iter_batches(size, columns=names, use_threads=False)


@contextmanager
def _ipc(path: Path) -> Iterator[tuple[Any, RecordBatches]]:
    pyarrow = require("pyarrow", extra="parquet", purpose=f"Reading {path.name}")
    with pyarrow.OSFile(str(path)) as source, pyarrow.ipc.open_file(source) as file:
        yield file, _ipc_batches


def _ipc_batches(file: Any, names: Sequence[str] | None, size: int) -> Iterator[Any]:
    for index in range(file.num_record_batches):
        batch = file.get_batch(index).select(names)
        for start in range(0, batch.num_rows, size):
            yield batch.slice(start, size)


def _blocks(open_file: Any, path: Path, wanted: Wanted, size: int) -> Iterator[RowBlock]:
    with _reported(), opened(path), open_file(path) as (file, batches):
        names = _checked(file, wanted)
        yield from _read(batches(file, names, rows_to_read(size, max(_row_bytes(file), _made_bytes(wanted)))), wanted)


def parquet_body(body: bytes, wanted: Wanted, *, most_rows: int) -> Iterator[RowBlock]:
    """The rows of a Parquet file in memory. Raises InputError for one that says that it unpacks to too much."""
    pyarrow = require("pyarrow", extra="parquet", purpose="Reading Parquet")
    parquet = require("pyarrow.parquet", extra="parquet", purpose="Reading Parquet")
    with _reported(), parquet.ParquetFile(pyarrow.BufferReader(body)) as file:
        size = _row_bytes(file) * file.metadata.num_rows
        if file.metadata.num_rows > most_rows or size > _MOST_UNPACKED:
            said = f"it has {file.metadata.num_rows:,} rows and {int(size):,} bytes"
            raise InputError(f"{said}; the limits are {most_rows:,} and {_MOST_UNPACKED:,}", code="too_large")
        names = _checked(file, wanted)
        yield from _read(file.iter_batches(_BODY_ROWS, columns=names, use_threads=False), wanted)


def _read(found: Iterator[Any], wanted: Wanted) -> Iterator[RowBlock]:
    while True:
        began = time.perf_counter()
        batch = next(found, None)
        if batch is None:
            return
        yield _block(batch, wanted, began)


def _count(open_file: Any, path: Path, _: Wanted) -> int | None:
    with _reported(), opened(path), open_file(path) as (file, _batches):
        return int(file.metadata.num_rows) if hasattr(file, "metadata") and file.metadata is not None else None


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise InputError("no such file", code="not_found") from None
    except (InputError, UsageError):
        raise
    except (OSError, ValueError) as error:  # pyarrow's errors are of these
        raise InputError(f"cannot be read: {str(error).splitlines()[0]}", code="damaged") from None


def _checked(file: Any, wanted: Wanted) -> list[str]:
    """The columns to read. Raises InputError for a file without one of them, or with others than the model takes."""
    schema = getattr(file, "schema_arrow", None) or file.schema
    wanted.check_names(schema.names)
    for tensor in wanted.fields.tensors if isinstance(wanted.fields, ArrayFields) else ():
        column = wanted.source(tensor.name)
        kind = schema.field(column).type
        depth = 0
        while hasattr(kind, "value_type") and "list" in str(kind):
            kind, depth = kind.value_type, depth + 1
        found = _dtype(kind)
        if found != tensor.dtype:
            raise InputError(
                f"{column} has values of {kind}, and the model takes {tensor.dtype}: cast the column", code="bad_dtype"
            )
        if depth not in {len(tensor.shape) - 1, min(1, len(tensor.shape) - 1)}:
            takes = ", ".join(map(str, tensor.shape[1:]))
            raise InputError(f"{column} has lists {depth} deep, and a row of the model is [{takes}]", code="bad_shape")
    return list(dict.fromkeys((*map(wanted.source, wanted.fields.names), *wanted.keep)))


def _made_bytes(wanted: Wanted) -> float:
    """How many bytes a row has at least once it is unpacked: a file may need next to none for a value that repeats."""
    if isinstance(wanted.fields, ArrayFields):
        return wanted.fields.row_bytes
    return 8.0 * len(wanted.fields.names)


def _row_bytes(file: Any) -> float:
    """About how many bytes a row has as stored; an Arrow file's record batches are as large as they are."""
    facts: Any = getattr(file, "metadata", None)
    if not hasattr(facts, "num_row_groups") or not facts.num_rows:
        return 1.0
    total: int = sum(facts.row_group(index).total_byte_size for index in range(facts.num_row_groups))
    rows: int = facts.num_rows
    return total / rows


def _dtype(kind: Any) -> str:
    try:
        return str(np.dtype(kind.to_pandas_dtype()))
    except (NotImplementedError, TypeError):
        return str(kind)


def _block(batch: Any, wanted: Wanted, began: float) -> RowBlock:
    kept = {name: _values(batch.column(name), is_number=None) for name in wanted.keep}
    if not isinstance(wanted.fields, ArrayFields):
        values = {
            name: _values(batch.column(wanted.source(name)), is_number=_is_number(wanted, name))
            for name in wanted.fields.names
        }
        return RowBlock(batch.num_rows, values, {}, kept, (time.perf_counter() - began) * 1e3)
    fields = wanted.fields
    found = {tensor.name: _Column.of(batch.column(wanted.source(tensor.name)), tensor) for tensor in fields.tensors}
    if all(column.array is not None for column in found.values()):
        columns: dict[str, Any] = {name: column.array for name, column in found.items()}
        block = RowBlock(batch.num_rows, columns)
    else:
        block = fields.stacked([_row(found, fields, index) for index in range(batch.num_rows)])
    return RowBlock(block.count, block.columns, block.errors, kept, (time.perf_counter() - began) * 1e3)


def _values(column: Any, *, is_number: bool | None) -> Any:
    """A column of a table: numbers as an array, NaN where one is missing; categories (False) as a dictionary; anything
    else as a list.
    """
    kind = str(column.type)
    if is_number and kind in _NUMBERS:
        return column.cast("float64").to_numpy(zero_copy_only=False)
    if is_number is False and kind in _CATEGORIES:
        encoded = column.dictionary_encode()
        places = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy()
        return DictionaryColumn(places, [*encoded.dictionary.to_pylist(), None])
    if kind in _NUMBERS and not column.null_count:
        return column.to_numpy(zero_copy_only=False)
    return [_plain(value) for value in column.to_pylist()]


def _is_number(wanted: Wanted, name: str) -> bool | None:
    return wanted.fields.is_number(name) if isinstance(wanted.fields, ColumnFields) else None


class _Column:
    """A column as one array where every row has the model's shape; else its values row by row."""

    def __init__(self, array: NDArray[Any] | None, values: Any, tensor: Tensor) -> None:
        self.array, self._values, self._tensor = array, values, tensor

    @classmethod
    def of(cls, column: Any, tensor: Tensor) -> "_Column":
        """Without copying, where the column is plain."""
        sides = tensor.shape[1:]
        flat, lengths = column, []
        while column.null_count == 0 and hasattr(flat.type, "value_type") and "list" in str(flat.type):
            count = len(flat)
            inner = flat.flatten()
            if inner.null_count or (count and len(inner) % count):
                return cls(None, column, tensor)
            if count and not _is_even(flat, len(inner) // count):
                return cls(None, column, tensor)
            lengths.append(len(inner) // count if count else 0)
            flat = inner
        if flat.null_count or column.null_count:
            return cls(None, column, tensor)
        shape = tuple(lengths) if len(lengths) == len(sides) else _whole(sides, lengths)
        if shape is None or any(
            isinstance(side, int) and side != length for side, length in zip(sides, shape, strict=True)
        ):
            return cls(None, column, tensor)
        array = flat.to_numpy(zero_copy_only=False).reshape((len(column), *shape))
        return cls(np.ascontiguousarray(array, dtype=tensor.dtype), column, tensor)

    def row(self, index: int) -> NDArray[Any]:
        """One row's value. Raises InputError for one that is missing, ragged or of another shape."""
        name, sides = self._tensor.name, self._tensor.shape[1:]
        if self.array is not None:
            found: NDArray[Any] = np.asarray(self.array[index])
            return found
        value = self._values[index].as_py()
        if value is None:
            raise InputError(f"{name} is missing", code="missing")
        try:
            array = np.asarray(value, dtype=object if _has_none(value) else self._tensor.dtype)
        except (ValueError, TypeError):
            raise InputError(f"{name} has lists of different lengths", code="bad_shape") from None
        if array.dtype == object:
            raise InputError(f"{name} has missing values", code="missing")
        if array.ndim == 1 and len(sides) > 1 and (shape := _whole(sides, [array.size])) is not None:
            return array.reshape(shape)
        return array


def _is_even(lists: Any, length: int) -> bool:
    """Whether all lists have that length."""
    if not hasattr(lists, "offsets"):
        return True  # of one length by their type
    return bool((np.diff(lists.offsets.to_numpy()) == length).all())


def _whole(sides: Sequence[int | str], lengths: Sequence[int]) -> tuple[int, ...] | None:
    """The shape of a row whose values lie in one flat list."""
    if any(isinstance(side, str) for side in sides) or len(lengths) != 1:
        return None
    shape = tuple(int(side) for side in sides)
    return shape if math.prod(shape) == lengths[0] else None


def _row(found: dict[str, _Column], fields: ArrayFields, index: int) -> Arrays | InputError:
    try:
        arrays = {name: column.row(index) for name, column in found.items()}
        for name, array in arrays.items():
            fields.check(name, array.dtype, array.shape, is_row=True)
        fields.check_sides({name: array.shape for name, array in arrays.items()})
    except InputError as error:
        return error
    return tuple(arrays.values())


def _has_none(value: Any) -> bool:
    return any(map(_has_none, value)) if isinstance(value, list) else value is None


def _plain(value: Any) -> Any:
    """A value to carry over, as JSON has it."""
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


PARQUET = RowReader(blocks=partial(_blocks, _parquet), count=partial(_count, _parquet))
IPC = RowReader(blocks=partial(_blocks, _ipc), count=partial(_count, _ipc))
