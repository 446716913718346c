"""The files of `OUTPUT.partial/`, which only grow.

They are written to disk together every few seconds, the rows last: if a row is there, so is all that belongs to it.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lit_infer.folder.loading import LoadedItem
from lit_infer.folder.writers import encoded
from lit_infer.images.notes import NOTES
from lit_infer.predictions import Prediction
from lit_infer.tasks import Row

COMMIT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One image's result on its way to the outputs."""

    number: int
    row: Row
    prediction: Prediction
    loaded: LoadedItem


class PartialFile(Protocol):
    """One file of the folder."""

    def count(self) -> int:
        """The number of rows that it holds data for."""
        ...

    def keep(self, rows: int) -> None:
        """Drop the data of later rows."""
        ...

    def add(self, entry: Entry) -> None:
        """Take a result; it is on disk after `commit`."""
        ...

    def commit(self) -> None:
        """Flush what was added to disk."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class Growing:
    """A file that bytes are appended to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open(path, "ab", opener=_without_links)  # noqa: SIM115 - `close` closes it

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return os.fstat(self._file.fileno()).st_size

    def add(self, data: bytes) -> None:
        """Take bytes; they are on disk after `commit`."""
        self._file.write(data)

    def commit(self) -> None:
        """Flush what was added to disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def cut(self, size: int) -> None:
        """Drop everything beyond `size` bytes."""
        self._file.flush()
        self._file.truncate(size)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


class RowsFile:
    """`rows.jsonl`. Rows are held back until `commit`, which follows once all their other data is on disk."""

    def __init__(self, folder: Path) -> None:
        self.file = Growing(folder / "rows.jsonl")
        self._waiting: list[bytes] = []

    def count(self) -> int:
        """The rows before the first incomplete one: a power cut may leave anything at the end of a file."""
        return sum(1 for _ in self._whole())

    def read(self) -> Iterator[Row]:
        """The rows that are on disk."""
        return (row for _, row in self._whole())

    def keep(self, rows: int) -> None:
        """Cut the file after that many rows."""
        self.file.cut(sum(length for (length, _), _ in zip(self._whole(), range(rows), strict=False)))

    def add(self, entry: Entry) -> None:
        """Take a row."""
        self._waiting.append(encoded(entry.row))

    def commit(self) -> None:
        """Write the rows that are held back."""
        self.file.add(b"".join(self._waiting))
        self._waiting.clear()
        self.file.commit()

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def _whole(self) -> Iterator[tuple[int, Row]]:
        with self.file.path.open("rb") as file:
            for line in file:
                try:
                    row = json.loads(line)
                except ValueError:
                    return
                if not line.endswith(b"\n") or not isinstance(row, dict) or "path" not in row:
                    return
                yield len(line), row


class Stamps:
    """`inputs.bin`: a stamp for each row, which shows whether its image file has changed."""

    def __init__(self, folder: Path) -> None:
        self.file = Growing(folder / "inputs.bin")

    def count(self) -> int:
        """The number of stamps."""
        return self.file.size // 8

    def read(self) -> Iterator[bytes]:
        """The stamps that are on disk."""
        with self.file.path.open("rb") as file:
            yield from iter(lambda: file.read(8), b"")

    def keep(self, rows: int) -> None:
        """Cut the file after that many rows."""
        self.file.cut(rows * 8)

    def add(self, entry: Entry) -> None:
        """Take the stamp of a row's file."""
        self.file.add(entry.loaded.stamp)

    def commit(self) -> None:
        """Flush what was added to disk."""
        self.file.commit()

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class NotesFile:
    """`notes.bin`: a byte for each row, with a bit for each note of its image."""

    def __init__(self, folder: Path) -> None:
        self.file = Growing(folder / "notes.bin")

    def count(self) -> int:
        """The number of rows."""
        return self.file.size

    def read(self) -> Iterator[tuple[str, ...]]:
        """The names of each row's notes."""
        with self.file.path.open("rb") as file:
            for byte in iter(lambda: file.read(1), b""):
                yield tuple(name for bit, name in enumerate(NOTES) if byte[0] >> bit & 1)

    def keep(self, rows: int) -> None:
        """Cut the file after that many rows."""
        self.file.cut(rows)

    def add(self, entry: Entry) -> None:
        """Take the notes of a row's image."""
        self.file.add(bytes([sum(1 << bit for bit, name in enumerate(NOTES) if name in entry.prediction.notes)]))

    def commit(self) -> None:
        """Flush what was added to disk."""
        self.file.commit()

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class Partial:
    """The folder, open and locked, and its parts."""

    def __init__(self, folder: Path, more: Sequence[PartialFile]) -> None:
        self.folder = folder
        self.rows = RowsFile(folder)
        self.stamps = Stamps(folder)
        self.notes = NotesFile(folder)
        self.parts: tuple[PartialFile, ...] = (*more, self.stamps, self.notes, self.rows)  # the rows last
        self._committed = time.monotonic()

    def keep_batches(self, batch_size: int) -> int:
        """Keep only whole batches that every part has, and return their number of rows."""
        rows = self.count() // batch_size * batch_size
        self.keep(rows)
        return rows

    def count(self) -> int:
        """The number of rows that every part has."""
        return min(part.count() for part in self.parts)

    def keep(self, rows: int) -> None:
        """Drop the data of later rows."""
        for part in self.parts:
            part.keep(rows)

    def add(self, entry: Entry) -> None:
        """Take a result."""
        for part in self.parts:
            part.add(entry)
        if time.monotonic() - self._committed >= COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Flush everything to disk."""
        for part in self.parts:
            part.commit()
        self._committed = time.monotonic()

    def close(self) -> None:
        """Close the files."""
        for part in self.parts:
            part.close()
