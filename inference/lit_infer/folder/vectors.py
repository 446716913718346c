"""`--embeddings out.npy`: one float32 vector per row, streamed to disk."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.errors import UsageError
from lit_infer.folder.partial import Entry, Growing
from lit_infer.manifest import Manifest
from lit_infer.predictions import Prediction


def width(manifest: Manifest) -> int:
    """Numbers in a row of the model's first output."""
    sizes = [size for size in manifest.outputs[0].shape[1:] if isinstance(size, int)]
    if len(sizes) != len(manifest.outputs[0].shape) - 1 or not sizes:
        raise UsageError(f"--embeddings: the size of {manifest.name}'s output is not fixed")
    return int(np.prod(sizes))


class Vectors:
    """`vectors.npy` while it grows: row n belongs to row n of the output, NaN for an image that failed."""

    def __init__(self, folder: Path, size: int) -> None:
        self.file = Growing(folder / "vectors.npy")
        self._size = size
        self._header = len(header(0, size))
        if self.file.size < self._header:
            self.file.cut(0)
            self.file.add(header(0, size))
            self.file.commit()

    def count(self) -> int:
        """Rows on disk."""
        return (self.file.size - self._header) // (4 * self._size)

    def keep(self, rows: int) -> None:
        """Cut the file after that many rows."""
        self.file.cut(self._header + rows * 4 * self._size)

    def add(self, entry: Entry) -> None:
        """Take an image's vector."""
        self.file.add(vector(entry.prediction, self._size).tobytes())

    def add_rows(self, vectors: NDArray[Any] | None, failed: NDArray[np.bool_]) -> None:
        """Take a vector for each row, NaN where it failed."""
        rows = np.full((len(failed), self._size), np.nan, dtype=np.float32)
        if vectors is not None:
            rows[~failed] = vectors.reshape(len(failed), -1)[~failed]
        self.file.add(rows.tobytes())

    def commit(self) -> None:
        """Flush what was added to disk."""
        self.file.commit()

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def finish(self) -> Path:
        """Write the number of rows into the header, which completes the file."""
        self.commit()
        with self.file.path.open("r+b") as file:
            file.write(header(self.count(), self._size))
        self.commit()
        return self.file.path


def vector(prediction: Prediction, size: int) -> NDArray[np.float32]:
    """The image's row of the graph's first output; NaN for an image that failed."""
    if prediction.output is None:
        return np.full(size, np.nan, dtype=np.float32)
    return np.asarray(prediction.output, dtype=np.float32).ravel()


def header(rows: int, size: int) -> bytes:
    """The beginning of a file with so many vectors.

    numpy leaves room for the number of rows to grow: the header's length does not depend on it.
    """
    file = io.BytesIO()
    facts = {"descr": "<f4", "fortran_order": False, "shape": (rows, size)}
    np.lib.format.write_array_header_1_0(file, facts)
    return file.getvalue()
