"""Rows as a file: `.jsonl`, `.csv`, `.parquet`. The same rows give the same bytes."""

import csv
import errno
import json
import os
import shutil
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from lit_infer import files
from lit_infer.errors import UsageError, require
from lit_infer.folder.table import STAGES, Columns
from lit_infer.tasks import Row

ARRAYS = (".npz", ".npy")
"""Suffixes of outputs that are no rows."""
_ROW_GROUP = 10_000
_to_json = json.JSONEncoder(ensure_ascii=False).encode  # `json.dumps` would make an encoder for each row


def check(output: Path, *, option: str = "--output") -> None:
    """Whether rows can be written there, checked before any work is done."""
    writer(output)
    if output.suffix == ".parquet":
        require("pyarrow", extra="parquet", purpose=f"Writing {output}")
    check_writable(output, option=option)


def check_writable(output: Path, *, option: str) -> None:
    """Whether a file can be created there."""
    files.check_local(output)
    if output.is_dir():
        raise UsageError(f"{option} {output} is a folder; name a file in it")
    folder = next(parent for parent in output.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise UsageError(f"{option} {output}: {folder} is not a folder")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{option} {output}: cannot write in {folder}")


def writer(output: Path) -> Callable[[Iterable[Row], Path, Columns], None]:
    """The function that writes a file of this suffix, from rows, a path and the columns."""
    writers = {".jsonl": write_jsonl, ".csv": write_csv, ".parquet": write_parquet}
    if output.suffix not in writers:
        raise UsageError(
            f"--output {output}: the name must end in .jsonl, .csv or .parquet; or, for bare arrays, .npz or .npy"
        )
    return writers[output.suffix]


def write_rows(rows: Iterable[Row], output: Path, columns: Columns) -> None:
    """Write rows as the file's suffix says; the file appears when every row is in it."""
    write = writer(output)
    with files.staging_folder(output.parent) as staging:
        write(rows, staging / output.name, columns)
        publish(staging / output.name, output)


def publish(made: Path, output: Path) -> None:
    """Give a finished file its final name, durably. It may have been written on another disk."""
    with made.open("rb") as file:
        os.fsync(file.fileno())
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        made.replace(output)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with files.staging_folder(output.parent) as staging:
            publish(Path(shutil.copyfile(made, staging / output.name)), output)
    files.sync_folder(output.parent)


def encoded(row: Row) -> bytes:
    """A row as a line of JSON. Bytes of a file name that are not text become escapes that read back the same."""
    return (_to_json(row) + "\n").encode(errors="backslashreplace")


def write_jsonl(rows: Iterable[Row], path: Path, _: Columns) -> None:
    """One JSON object per line."""
    with path.open("wb") as file:
        file.writelines(map(encoded, rows))


def write_csv(rows: Iterable[Row], path: Path, columns: Columns) -> None:
    """A table; a value that is not a scalar is JSON in its cell."""
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        table = csv.DictWriter(file, columns, lineterminator="\n")
        table.writeheader()
        for row in rows:
            table.writerow({name: _cell(value) for name, value in row.items()})


def write_parquet(rows: Iterable[Row], path: Path, columns: Columns) -> None:
    """Columns of fixed types; choices are a list of structs."""
    pyarrow = require("pyarrow", extra="parquet", purpose=f"Writing {path.name}")
    parquet = require("pyarrow.parquet", extra="parquet", purpose=f"Writing {path.name}")
    source = iter(rows)
    group = list(islice(source, _ROW_GROUP))
    fields = schema(pyarrow, columns)
    texts = [name for name, kind in columns.items() if kind == "text"]
    with parquet.ParquetWriter(path, fields, compression="zstd") as file:
        while group:
            group = [_texts(row, texts) for row in group]
            file.write_table(pyarrow.Table.from_pylist(group, schema=fields))
            group = list(islice(source, _ROW_GROUP))


def settled(rows: Callable[[], Iterable[Row]], columns: Columns) -> Columns:
    """The columns, where those of any kind have the kind of their values: all rows are looked through for it."""
    open_ones = [name for name, kind in columns.items() if kind == "any"]
    if not open_ones:
        return columns
    kinds: dict[str, set[type]] = {name: set() for name in open_ones}
    for row in rows():
        for name in open_ones:
            kinds[name].add(type(row[name]))
    return {**columns, **{name: kind_of(found - {type(None)}) for name, found in kinds.items()}}


def kind_of(types: set[type]) -> Any:
    """The kind of a column with values of these types."""
    if types and types <= {bool}:
        return "boolean"
    if types and types <= {int}:
        return "integer"
    return "number" if types and types <= {int, float} else "text"


def schema(pyarrow: Any, columns: Columns) -> Any:
    """The columns as Arrow's."""
    text, number, real = pyarrow.string(), pyarrow.int64(), pyarrow.float64()
    box = [("label", text), ("index", number), ("score", real), ("box", pyarrow.list_(real))]
    area = [("label", text), ("index", number), ("pixels", number), ("share", real)]
    runs = pyarrow.struct([("size", pyarrow.list_(number)), ("counts", text)])
    types = {
        "text": text,
        "integer": number,
        "number": real,
        "boolean": pyarrow.bool_(),
        "integers": pyarrow.list_(number),
        "numbers": pyarrow.list_(pyarrow.float32()),
        "doubles": pyarrow.list_(real),
        "booleans": pyarrow.list_(pyarrow.bool_()),
        "choices": pyarrow.list_(pyarrow.struct([("label", text), ("index", number), ("score", real)])),
        "areas": pyarrow.list_(pyarrow.struct(area)),
        "regions": pyarrow.list_(pyarrow.struct([*area, ("segmentation", runs)])),
        "boxes": pyarrow.list_(pyarrow.struct(box)),
        "instances": pyarrow.list_(pyarrow.struct([*box, ("area", number), ("segmentation", runs)])),
        "points": pyarrow.list_(
            pyarrow.struct(
                [
                    ("label", text),
                    ("index", number),
                    *((name, real) for name in ("x", "y", "score", "visibility")),
                    ("outside", pyarrow.bool_()),
                ]
            )
        ),
        "spans": pyarrow.list_(
            pyarrow.struct([("label", text), ("start", number), ("end", number), ("score", real), ("text", text)])
        ),
        "neighbours": pyarrow.list_(pyarrow.struct([("path", text), ("similarity", real)])),
        "stages": pyarrow.struct([(stage, real) for stage in STAGES]),
    }
    return pyarrow.schema([(name, types[kind]) for name, kind in columns.items()])


def _texts(row: Row, names: Iterable[str]) -> Row:
    """A row whose texts are all valid UTF-8."""
    return {**row, **{name: as_text(row[name]) for name in names}}


def as_text(value: Any) -> str | None:
    """A value as text that is valid UTF-8."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode(errors="backslashreplace").decode()


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value
