"""`-o out.npz` and `-o out.npy`: the outputs as arrays, row by row in the order of the input, streamed to disk.

A row that failed is NaN, or zeros where an output has integers; an `.npz` also says which rows failed, and why:
`error_rows`, `error_codes` and `errors`.
"""

import json
import math
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.errors import UsageError
from lit_infer.folder.partial import Growing
from lit_infer.folder.rows.answered import AnsweredBlock
from lit_infer.manifest import Manifest, Tensor

_ERRORS = ("error_rows", "error_codes", "errors")
_COPIED = 2**22


def check(output: Path, manifest: Manifest) -> None:
    """Raise UsageError for a model whose outputs cannot be arrays with a row for each row of the input."""
    instead = "write rows instead: .jsonl, .csv or .parquet"
    if manifest.spec.kind != "tensors":
        raise UsageError(
            f"--output {output}: arrays are for bare tensors; {manifest.name} is for {manifest.task}: {instead}"
        )
    for tensor in manifest.outputs:
        if any(isinstance(side, str) for side in tensor.shape[1:]):
            raise UsageError(
                f"--output {output}: {tensor.name} [{', '.join(map(str, tensor.shape))}] varies: {instead}"
            )
        if tensor.name in _ERRORS:
            raise UsageError(
                f"--output {output}: an output is called {tensor.name}, as the arrays of errors are: {instead}"
            )
    if output.suffix == ".npy" and len(manifest.outputs) > 1:
        names = ", ".join(tensor.name for tensor in manifest.outputs)
        raise UsageError(f"--output {output}: an .npy file holds one array, and the model answers {names}: use .npz")


class OutputArray:
    """`array-N.bin` while it grows: the rows of one output, as they are in memory."""

    def __init__(self, folder: Path, number: int, tensor: Tensor) -> None:
        self.tensor = tensor
        self.file = Growing(folder / f"array-{number}.bin")
        self._shape = tuple(int(side) for side in tensor.shape[1:])
        self._dtype = np.dtype(tensor.dtype)
        self._size = math.prod(self._shape) * self._dtype.itemsize
        failed = np.nan if self._dtype.kind == "f" else 0
        self._blank = failed
        self._failed = np.full(self._shape, failed, dtype=self._dtype).tobytes()
        self._kept = 0

    def count(self) -> int:
        """Rows on disk."""
        return self.file.size // self._size if self._size else 2**62

    def keep(self, rows: int) -> None:
        """Cut the file after that many rows."""
        self.file.cut(rows * self._size)

    def add(self, block: AnsweredBlock) -> None:
        """Take the rows' part of the output."""
        if (values := block.arrays.get(self.tensor.name)) is None:
            self.file.add(self._failed * block.count)
            return
        rows = np.ascontiguousarray(values, dtype=self._dtype).reshape(block.count, -1)
        if block.errors:
            rows = rows.copy()
            rows[list(block.errors)] = self._blank
        self.file.add(rows.tobytes())

    def commit(self) -> None:
        """Flush what was added to disk."""
        self.file.commit()

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def header(self, rows: int) -> dict[str, Any]:
        """What `.npy` says of the array."""
        return {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (rows, *self._shape),
        }


def write(output: Path, path: Path, arrays: Sequence[OutputArray], blocks: Iterable[AnsweredBlock]) -> None:
    """The finished file. The same rows give the same bytes."""
    failed: list[tuple[int, str, str]] = []
    count = 0
    for block in blocks:
        failed += [(count + row, code, said) for row, (said, code) in block.errors.items()]
        count += block.count
    if output.suffix == ".npy":
        with path.open("wb") as file:
            _write_array(file, arrays[0], count)
        return
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for array in arrays:
            with archive.open(_entry(array.tensor.name), "w", force_zip64=True) as file:
                _write_array(file, array, count)
        for name, values in zip(_ERRORS, _columns(failed), strict=True):
            with archive.open(_entry(name), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, values, allow_pickle=False)


def _entry(name: str) -> zipfile.ZipInfo:
    """An entry with the date that numpy gives all of its own."""
    return zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))


def _write_array(file: Any, array: OutputArray, rows: int) -> None:
    np.lib.format.write_array_header_1_0(file, array.header(rows))
    with array.file.path.open("rb") as stored:
        while chunk := stored.read(_COPIED):
            file.write(chunk)


def _columns(failed: Sequence[tuple[int, str, str]]) -> tuple[NDArray[Any], ...]:
    rows, codes, errors = zip(*failed, strict=True) if failed else ((), (), ())
    texts = [json.dumps(error)[1:-1] if not error.isprintable() else error for error in errors]
    return np.array(rows, dtype=np.int64), np.array(codes, dtype=np.str_), np.array(texts, dtype=np.str_)
