"""A block of rows with its answers: as columns for outputs, as single rows for a table, as bytes on disk."""

import json
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from lit_infer.column_values import ColumnValues, DictionaryColumn, RaggedColumn, value_at
from lit_infer.folder.rows.found import FoundBlock, RowOrigin
from lit_infer.folder.table import STAGES, Table
from lit_infer.rows.answering import AnsweredRows
from lit_infer.tasks import Ask, Row

_HEAD = struct.Struct("<IQI")
"""Before a stored block: the length of its facts, of all its data, and the checksum of that."""


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """A column of the output."""

    values: ColumnValues
    absent: NDArray[np.bool_] | None = None
    """Rows without a value."""
    filler: Any = None
    """What these have."""

    def at(self, row: int) -> Any:
        """A row's value as plain data."""
        return self.filler if self.absent is not None and self.absent[row] else value_at(self.values, row)


@dataclass(frozen=True)
class AnsweredBlock:
    """Rows that follow each other in the output."""

    origins: Sequence[RowOrigin]
    count: int
    arrays: Mapping[str, NDArray[Any] | RaggedColumn]
    """What the task keeps of the answers; empty where no row has one."""
    errors: Mapping[int, tuple[str, str]]
    """What is wrong with a row, and its code."""
    kept: Mapping[str, ColumnValues]
    infer_ms: NDArray[np.float64]
    read_ms: float
    """Of each row, as the next."""
    prepare_ms: float

    @classmethod
    def of(cls, found: FoundBlock, answered: AnsweredRows) -> "AnsweredBlock":
        """Rows that were found, and what was answered."""
        errors = {row: (str(error), error.code) for row, error in answered.errors.items()}
        return cls(
            found.origins,
            found.rows.count,
            answered.arrays,
            errors,
            found.rows.kept,
            answered.infer_ms,
            answered.read_ms,
            answered.prepare_ms,
        )

    @cached_property
    def failed(self) -> NDArray[np.bool_]:
        """Which rows have no answer."""
        made = np.zeros(self.count, dtype=bool)
        made[list(self.errors)] = True
        return made

    def without_answers(self) -> "AnsweredBlock":
        """The rows alone, where the answers are kept elsewhere."""
        return replace(self, arrays={})

    def answers(self, table: Table, ask: Ask) -> dict[str, ColumnValues]:
        """The columns of the model's own."""
        return table.task.values(self.arrays, ask, table.reading) if self.arrays and table.has_answers else {}

    def columns(self, table: Table, ask: Ask) -> dict[str, OutputColumn]:
        """All columns of the output, in order."""
        numbers, unnumbered = self._numbers()
        paths = [origin.path for origin in self.origins]
        counts = [origin.count for origin in self.origins]
        answers, failed = self.answers(table, ask), self.failed if self.errors else None
        nothing = DictionaryColumn.constant(None, self.count)
        found = {
            "path": OutputColumn(DictionaryColumn(np.repeat(np.arange(len(paths), dtype=np.int32), counts), paths)),
            "row": OutputColumn(numbers, unnumbered if unnumbered.any() else None),
        }
        for name in table.kept:
            found[name] = OutputColumn(self.kept.get(name, nothing))
        for name in table.own:
            filler = table.empty_row[name]
            if name in answers:
                found[name] = OutputColumn(answers[name], failed, filler)
            else:
                found[name] = OutputColumn(nothing, np.ones(self.count, dtype=bool), filler)
        said, codes = zip(*self.errors.values(), strict=True) if self.errors else ((), ())
        for name, texts in (("error", said), ("code", codes)):
            found[name] = OutputColumn(self._of_failed(texts))
        found["model"] = OutputColumn(DictionaryColumn.constant(table.model, self.count))
        if table.timings:
            found["ms"] = OutputColumn([self._timings(row) for row in range(self.count)])
        return found

    def rows(self, table: Table, ask: Ask, only: Sequence[int] | None = None) -> Iterator[Row]:
        """Single rows as plain data; `only`: which."""
        columns = self.columns(table, ask)
        for row in range(self.count) if only is None else only:
            yield {name: column.at(row) for name, column in columns.items()}

    def _numbers(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The number of each row in its file, and which have none."""
        numbers = [
            np.arange(origin.count, dtype=np.int64) * origin.step + (origin.first or 0) for origin in self.origins
        ]
        unnumbered = np.repeat(
            [origin.first is None for origin in self.origins], [origin.count for origin in self.origins]
        )
        return np.concatenate(numbers), unnumbered

    def _of_failed(self, texts: Sequence[str]) -> DictionaryColumn:
        places = np.zeros(self.count, dtype=np.int32)
        own = DictionaryColumn.of(texts)
        places[list(self.errors)] = own.indices + 1
        return DictionaryColumn(places, [None, *own.values])

    def _timings(self, row: int) -> dict[str, float] | None:
        if row in self.errors:
            return None
        taken = (self.read_ms, self.prepare_ms, 0.0, float(self.infer_ms[row]))
        return {stage: round(ms, 3) for stage, ms in zip(STAGES, taken, strict=True)}

    def encoded(self) -> bytes:
        """As bytes that `read_blocks` reads."""
        arrays: list[NDArray[Any]] = [self.infer_ms]
        facts = {
            "origins": [(one.path, one.first, one.count, one.stamp.hex(), one.step) for one in self.origins],
            "errors": list(self.errors.items()),
            "ms": (self.read_ms, self.prepare_ms),
            "arrays": {name: _packed(values, arrays) for name, values in self.arrays.items()},
            "kept": {name: _packed(values, arrays) for name, values in self.kept.items()},
        }
        facts["own"] = [(array.dtype.str, array.shape) for array in arrays]
        text = json.dumps(facts).encode()
        data = b"".join([text, *(np.ascontiguousarray(array).tobytes() for array in arrays)])
        return _HEAD.pack(len(text), len(data), zlib.crc32(data)) + data


def read_blocks(file: IO[bytes]) -> Iterator[tuple[int, AnsweredBlock]]:
    """The whole blocks of a file, each with where it ends: a power cut may leave anything behind them."""
    while len(head := file.read(_HEAD.size)) == _HEAD.size:
        size, total, checksum = _HEAD.unpack(head)
        data = file.read(total)
        if len(data) < total or zlib.crc32(data) != checksum:
            return
        yield file.tell(), _decoded(json.loads(data[:size]), memoryview(data)[size:])


def _decoded(facts: Mapping[str, Any], data: memoryview) -> AnsweredBlock:
    arrays, start = [], 0
    for dtype, shape in facts["own"]:
        array = np.frombuffer(data, dtype=dtype, count=int(np.prod(shape)), offset=start).reshape(shape)
        arrays.append(array)
        start += array.nbytes
    origins = [
        RowOrigin(path, first, count, bytes.fromhex(stamp), step)
        for path, first, count, stamp, step in facts["origins"]
    ]
    return AnsweredBlock(
        origins,
        sum(origin.count for origin in origins),
        {name: cast(Any, _unpacked(what, arrays)) for name, what in facts["arrays"].items()},
        {row: (said, code) for row, (said, code) in facts["errors"]},
        {name: _unpacked(what, arrays) for name, what in facts["kept"].items()},
        arrays[0],
        *facts["ms"],
    )


def _packed(values: ColumnValues, arrays: list[NDArray[Any]]) -> Any:
    """What JSON can hold of a column; its arrays are added to `arrays`."""
    if isinstance(values, np.ndarray):
        arrays.append(values)
        return {"array": len(arrays) - 1}
    if isinstance(values, RaggedColumn):
        arrays += [values.flat, values.lengths]
        return {"ragged": len(arrays) - 2}
    if isinstance(values, DictionaryColumn):
        arrays.append(values.indices)
        return {"array": len(arrays) - 1, "values": list(values.values)}
    return {"values": list(cast(Sequence[Any], values))}


def _unpacked(what: Mapping[str, Any], arrays: Sequence[NDArray[Any]]) -> ColumnValues:
    if "ragged" in what:
        return RaggedColumn(arrays[what["ragged"]], arrays[what["ragged"] + 1])
    if "array" in what:
        array = arrays[what["array"]]
        return DictionaryColumn(array, what["values"]) if "values" in what else array
    return list(what["values"])
