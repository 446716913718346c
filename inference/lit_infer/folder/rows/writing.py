"""Answered blocks as a file: `.jsonl`, `.csv`, `.parquet`, column by column. The same blocks give the same bytes."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lit_infer.column_values import ChoicesColumn, DictionaryColumn, RaggedColumn
from lit_infer.errors import require
from lit_infer.folder import writers
from lit_infer.folder.rows import texts
from lit_infer.folder.rows.answered import AnsweredBlock, OutputColumn
from lit_infer.folder.table import Columns, Table
from lit_infer.tasks import Ask

_ROW_GROUP = 2**15
"""Rows that a group of a Parquet file has at least."""

Blocks = Callable[[], Iterable[AnsweredBlock]]


def write(blocks: Blocks, path: Path, table: Table, ask: Ask) -> None:
    """A file as its suffix says."""
    if path.suffix == ".parquet":
        _write_parquet(blocks, path, table, ask)
        return
    with path.open("wb") as file:
        if path.suffix == ".csv":
            file.write(_encoded(",".join(texts.of_csv(OutputColumn(list(table.columns)))) + "\n"))
        lines = csv_lines if path.suffix == ".csv" else json_lines
        for block in blocks():
            file.write(_encoded(lines(block.columns(table, ask))))


def json_lines(columns: dict[str, OutputColumn]) -> str:
    """A JSON object in each line."""
    names = [json.dumps(name, ensure_ascii=False).replace("%", "%%") for name in columns]
    line = "{" + ", ".join(f"{name}: %s" for name in names) + "}\n"
    cells = [texts.of_json(column) for column in columns.values()]
    return "".join([line % row for row in zip(*cells, strict=True)])


def csv_lines(columns: dict[str, OutputColumn]) -> str:
    """Lines of a table."""
    cells = [texts.of_csv(column) for column in columns.values()]
    return "".join([f"{line}\n" for line in map(",".join, zip(*cells, strict=True))])


def _encoded(text: str) -> bytes:
    return text.encode(errors="backslashreplace")


def _write_parquet(blocks: Blocks, path: Path, table: Table, ask: Ask) -> None:
    pyarrow = require("pyarrow", extra="parquet", purpose=f"Writing {path.name}")
    parquet = require("pyarrow.parquet", extra="parquet", purpose=f"Writing {path.name}")
    schema = writers.schema(pyarrow, settled(blocks, table.columns))
    with parquet.ParquetWriter(path, schema, compression="zstd") as file:
        for group in _groups(blocks()):
            tables = [_table(pyarrow, block.columns(table, ask), schema) for block in group]
            file.write_table(pyarrow.concat_tables(tables))


def _groups(blocks: Iterable[AnsweredBlock]) -> Iterator[list[AnsweredBlock]]:
    group: list[AnsweredBlock] = []
    for block in blocks:
        group.append(block)
        if sum(one.count for one in group) >= _ROW_GROUP:
            yield group
            group = []
    if group:
        yield group


def settled(blocks: Blocks, columns: Columns) -> Columns:
    """The columns, where those of any kind have the kind of their values: all blocks are looked through for it."""
    kinds: dict[str, set[type]] = {name: set() for name, kind in columns.items() if kind == "any"}
    if not kinds:
        return columns
    for block in blocks():
        for name in kinds:
            kinds[name] |= _types(block.kept.get(name, ()))
    return {**columns, **{name: writers.kind_of(found - {type(None)}) for name, found in kinds.items()}}


def _types(values: Any) -> set[type]:
    if isinstance(values, np.ndarray):
        return {type(values.dtype.type().item())}
    return set(map(type, values.values if isinstance(values, DictionaryColumn) else values))


def _table(pyarrow: Any, columns: dict[str, OutputColumn], schema: Any) -> Any:
    return pyarrow.table(
        [_array(pyarrow, column, schema.field(name).type) for name, column in columns.items()], schema=schema
    )


def _array(pyarrow: Any, column: OutputColumn, kind: Any) -> Any:
    """A column of Arrow."""
    values = column.values
    if isinstance(values, DictionaryColumn):
        values = DictionaryColumn(values.indices, _plain(pyarrow, values.values, kind))
        nulls = np.array([value is None for value in values.values])[values.indices]
        absent = nulls if column.absent is None else nulls | column.absent
        own = pyarrow.array(list(values.values), kind)
        made = own.take(pyarrow.array(values.indices, mask=absent))
        return made if column.filler is None else pyarrow.array(_filled(made.to_pylist(), column), kind)
    if isinstance(values, np.ndarray) and values.ndim == 1 and kind != pyarrow.string():
        return pyarrow.array(values, mask=column.absent).cast(kind)
    if isinstance(values, ChoicesColumn):
        return _choices(pyarrow, column, values, kind)
    if isinstance(values, RaggedColumn):
        return pyarrow.array(_filled(values.lists(), column), kind)
    if isinstance(values, np.ndarray) and values.ndim > 1:
        return pyarrow.array(_filled(list(values), column), kind)
    plain = values.tolist() if isinstance(values, np.ndarray) else list(values)
    return pyarrow.array(_plain(pyarrow, _filled(plain, column), kind), kind)


def _plain(pyarrow: Any, values: Sequence[Any], kind: Any) -> list[Any]:
    """Values as the column takes them: anything as text, if that is its kind."""
    return [writers.as_text(value) for value in values] if kind == pyarrow.string() else list(values)


def _filled(values: list[Any], column: OutputColumn) -> list[Any]:
    if column.absent is None:
        return values
    return [column.filler if absent else value for value, absent in zip(values, column.absent.tolist(), strict=True)]


def _choices(pyarrow: Any, column: OutputColumn, values: ChoicesColumn, kind: Any) -> Any:
    """Lists of structs; an empty one where there is no answer."""
    count, width = values.indices.shape
    there = np.ones(count, dtype=bool) if column.absent is None else ~column.absent
    index, score = values.indices[there].ravel(), values.scores[there].ravel()
    labels = [values.label(one) for one in range(int(index.max(initial=-1)) + 1)]
    structs = pyarrow.StructArray.from_arrays(
        [
            pyarrow.array(labels, pyarrow.string()).take(pyarrow.array(index)),
            pyarrow.array(index).cast(pyarrow.int64()),
            pyarrow.array(score).cast(pyarrow.float64()),
        ],
        fields=list(kind.value_type),
    )
    offsets = np.concatenate([[0], np.cumsum(there * width)]).astype(np.int32)
    return pyarrow.ListArray.from_arrays(pyarrow.array(offsets), structs).cast(kind)
