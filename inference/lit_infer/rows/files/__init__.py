"""Files of rows, read a block at a time: a format is a row of one of the tables below.

A reader takes an open file's path, what is wanted of it and how many rows a block has, and yields blocks whose arrays
were checked against the model's inputs. It raises InputError for a file that cannot be used.
"""

from collections.abc import Mapping

from lit_infer.rows.arrays import ArrayFields
from lit_infer.rows.audio import AudioFields
from lit_infer.rows.fields import HasNames
from lit_infer.rows.files import arrow, audio_files, csv_files, json_lines, lines, numpy_files, safetensors
from lit_infer.rows.files.wanted import RowReader, Wanted
from lit_infer.rows.recordings import SUFFIXES
from lit_infer.rows.text import TextFields

__all__ = [
    "ARRAY_READERS",
    "AUDIO_READERS",
    "ROW_SUFFIXES",
    "TABLE_READERS",
    "TEXT_READERS",
    "RowReader",
    "Wanted",
    "readers_of",
]

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

TEXT_READERS: Mapping[str, RowReader] = {".txt": lines.READER, **TABLE_READERS}

AUDIO_READERS: Mapping[str, RowReader] = dict.fromkeys(SUFFIXES, audio_files.READER)

ROW_SUFFIXES = frozenset({*ARRAY_READERS, *TEXT_READERS, *AUDIO_READERS})


def readers_of(fields: HasNames) -> Mapping[str, RowReader]:
    """The formats that hold such rows."""
    if isinstance(fields, TextFields):
        return TEXT_READERS
    if isinstance(fields, AudioFields):
        return AUDIO_READERS
    return ARRAY_READERS if isinstance(fields, ArrayFields) else TABLE_READERS
