"""Files of rows: a format is a row of `ARRAY_READERS` or `TABLE_READERS`. A file is read a block at a time.

A reader takes an open file's path, what is wanted of it and how many rows a block has, and yields blocks whose arrays
were checked against the model's inputs. It raises InputError for a file that cannot be used.
"""

from collections.abc import Mapping

from lit_infer.rows.arrays import ArrayFields
from lit_infer.rows.fields import Fields
from lit_infer.rows.files import arrow, csv_files, json_lines, numpy_files, safetensors
from lit_infer.rows.files.wanted import RowReader, Wanted

__all__ = ["ARRAY_READERS", "ROW_SUFFIXES", "TABLE_READERS", "RowReader", "Wanted", "readers_of"]

ARRAY_READERS: Mapping[str, RowReader] = {
    ".npz": numpy_files.NPZ,
    ".npy": numpy_files.NPY,
    ".safetensors": safetensors.READER,
    ".parquet": arrow.PARQUET,
    ".arrow": arrow.IPC,
    ".feather": arrow.IPC,
}

TABLE_READERS: Mapping[str, RowReader] = {
    ".csv": csv_files.READER,
    ".jsonl": json_lines.READER,
    ".parquet": arrow.PARQUET,
    ".arrow": arrow.IPC,
    ".feather": arrow.IPC,
}

ROW_SUFFIXES = frozenset({*ARRAY_READERS, *TABLE_READERS})


def readers_of(fields: Fields) -> Mapping[str, RowReader]:
    """The formats that hold such rows."""
    return ARRAY_READERS if isinstance(fields, ArrayFields) else TABLE_READERS
