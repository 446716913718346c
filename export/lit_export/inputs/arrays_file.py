"""Real inputs from an `.npz` file: an array for each argument, rows first. Nothing in it runs code."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from lit_export.inputs import given
from lit_export.inputs.given import GivenCalls
from lit_export.inputs.typed import DTYPES
from lit_infer.errors import UsageError

_MOST = 2_000_000_000
"""Bytes of arrays that are read: a few batches, and not a data set."""


def of_file(module: nn.Module, path: Path) -> GivenCalls:
    """The arrays of a file as a call of the module."""
    arrays = read(path)
    return given.of_arrays(module, arrays, by_name=True, kind="file", source=str(path.name))


def read(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays by name. Raises UsageError for what is no such file, and for arrays that graphs do not take."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > _MOST:
            raise UsageError(f"--inputs {path}: {size / 1e9:.1f} GB of arrays; a few hundred rows are enough")
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except FileNotFoundError:
        raise UsageError(f"--inputs {path}: no such file") from None
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, KeyError) as error:
        if isinstance(error, UsageError):
            raise
        said = "it holds Python objects" if "allow_pickle" in str(error) else "not an .npz file as np.savez writes it"
        raise UsageError(f"--inputs {path}: {said}. Write it with np.savez({path.name!r}, x=array)") from None
    if not arrays:
        raise UsageError(f"--inputs {path}: it holds no arrays")
    for name, array in arrays.items():
        if str(array.dtype) not in DTYPES:
            raise UsageError(f"--inputs {path}: {name} is {array.dtype}; graphs take {', '.join(DTYPES)}")
        if array.ndim and not len(array):  # a row without columns is one: a module that has no categories here
            raise UsageError(f"--inputs {path}: {name} has no rows, {list(array.shape)}")
    return arrays
