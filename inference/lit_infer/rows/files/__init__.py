"""Files of rows: each format is a row of `READERS`. A file is read a block at a time, whatever its size.

A reader takes an open file's path, what is wanted of it and how many rows a block has, and yields blocks whose arrays
were checked against the model's inputs. It raises InputError for a file that cannot be used.
"""

from lit_infer.rows.files import arrow, numpy_files, safetensors
from lit_infer.rows.files.wanted import RowReader, Wanted

__all__ = ["READERS", "ROW_SUFFIXES", "RowReader", "Wanted"]

READERS: dict[str, RowReader] = {
    ".npz": numpy_files.NPZ,
    ".npy": numpy_files.NPY,
    ".safetensors": safetensors.READER,
    ".parquet": arrow.PARQUET,
    ".arrow": arrow.IPC,
    ".feather": arrow.IPC,
}

ROW_SUFFIXES = frozenset(READERS)
