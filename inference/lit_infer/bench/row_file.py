"""Rows of `--data`: real ones, kept in memory for single calls, and read from their file as `lit-infer` reads it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, cycle
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from lit_infer import progress
from lit_infer.batching.sizes import is_joined
from lit_infer.errors import InputError, UsageError
from lit_infer.folder.rows.found import FoundBlock, RowInputs
from lit_infer.folder.sources import Inputs, Item
from lit_infer.predictor import Predictor
from lit_infer.rows.answering import row_recipe
from lit_infer.rows.blocks import RowBlock
from lit_infer.rows.fields import Fields
from lit_infer.rows.files import RowReader, Wanted, readers_of
from lit_infer.tasks import Ask

_MOST = 4096
_MOST_BYTES = 64 * 2**20
_BLOCK = 256


@dataclass(frozen=True)
class RowFile:
    """What the command line says about rows."""

    path: Path
    columns: Mapping[str, str] = field(default_factory=dict)
    """By the name of an input: what the file calls it, where that is something else."""

    def read(self, predictor: Predictor) -> "MeasuredRows":
        """The first of its rows that the model takes. Raises UsageError for a file that has none."""
        if names := predictor.manifest.image_names:
            raise UsageError(
                f"--data {self.path}: {predictor.manifest.name} takes {' and '.join(names)}, and of such models the "
                "graph alone is measured: leave it out"
            )
        if predictor.manifest.spec.takes_images:
            raise UsageError(f"--data {self.path}: {predictor.manifest.name} takes images: --from PATH")
        fields = row_recipe(predictor.manifest, predictor.folder).fields
        wanted = Wanted(fields, self.columns)
        wanted.check_columns()
        readers = readers_of(fields)
        files = _files(self.path, readers)
        if not files:
            raise UsageError(f"--data {self.path}: expected a {', '.join(sorted(readers))} file, or a folder of them")
        items: list[dict[str, Any]] = []
        bad: list[InputError] = []
        held = 0
        try:
            for block in chain.from_iterable(_reader(readers, one).blocks(one, wanted, _BLOCK) for one in files):
                good, errors = _items(block, fields)
                items += good
                bad += errors
                held += sum(map(_bytes, good))
                if len(items) >= _MOST or held >= _MOST_BYTES:
                    break
        except InputError as error:
            raise UsageError(f"--data {self.path}: {error}") from None
        except OSError as error:
            raise UsageError(f"--data {self.path}: {error.strerror or error}") from None
        if not items:
            raise UsageError(f"--data {self.path} has no row that can be used{': ' + str(bad[0]) if bad else ''}")
        if bad:
            progress.warn(f"--data {self.path}: {len(bad):,} of {len(bad) + len(items):,} rows are left out: {bad[0]}")
        return MeasuredRows(self.path, files, wanted, tuple(items[:_MOST]))


def _files(path: Path, readers: Mapping[str, RowReader]) -> tuple[Path, ...]:
    """The file, or those below a folder that can be read."""
    found = sorted(path.rglob("*")) if path.is_dir() else [path]
    return tuple(one for one in found if one.suffix.lower() in readers)


def _reader(readers: Mapping[str, RowReader], path: Path) -> RowReader:
    return readers[path.suffix.lower()]


@dataclass(frozen=True)
class MeasuredRows:
    """Rows that a model takes."""

    path: Path
    files: tuple[Path, ...]
    wanted: Wanted
    items: Sequence[Mapping[str, Any]]
    """The first ones, each as `Predictor.predict` takes it."""

    def __str__(self) -> str:
        return f"{self.path} (the first {len(self.items):,} rows, over and over)"

    def blocks(self, size: int) -> Iterator[FoundBlock]:
        """The rows of the file in blocks of that many, read again and again."""
        return RowInputs(Inputs([_Endless(self.files)]), self.wanted).blocks(size)


@dataclass(frozen=True, slots=True)
class _Endless:
    """Files again and again, so that short ones fill blocks as a long one does."""

    files: tuple[Path, ...]

    def items(self) -> Iterator[Item]:
        """The files, without end."""
        for path in cycle(self.files):
            yield Item(path.as_posix(), path)

    def count(self) -> None:
        """It has no end."""


class RowStream:
    """A model that answers a file as `lit-infer` does: read, prepared and run in blocks on all threads, not written."""

    def __init__(self, predictor: Predictor, rows: MeasuredRows, size: int) -> None:
        self.predictor, self.rows, self.size = predictor, rows, size
        self._block = size
        self._blocks = predictor.threads

    def grow(self, seconds: float) -> None:
        """So many rows that a turn takes about `seconds`; at least a batch for each thread."""
        self.turn()
        rows, taken = self.turn()
        wanted, threads = rows / taken * seconds, self.predictor.threads
        most = self.predictor.rows_per_block(self.size)
        self._block = min(most, max(1, round(wanted / threads / self.size)) * self.size)
        self._blocks = max(1, round(wanted / threads / self._block)) * threads

    def turn(self) -> tuple[int, float]:
        """How many rows were answered, and in how many seconds."""
        started, answered, left = perf_counter(), 0, self._blocks * self._block
        for block, found in self.predictor.stream_rows(self._some(left), ask=Ask(), batch_size=self.size):
            answered += block.rows.count - len(found.errors)
        taken = perf_counter() - started
        if not answered:
            raise UsageError(f"--data {self.rows.path}: none of its first rows has an answer")
        return answered, taken

    def _some(self, count: int) -> Iterator[FoundBlock]:
        for block in self.rows.blocks(self._block):
            yield block
            count -= block.rows.count
            if count <= 0:
                return


def can_stream(predictor: Predictor) -> bool:
    """Whether rows go through it in blocks, and not each file as one batch."""
    return not is_joined(predictor.manifest)


def _items(block: RowBlock, fields: Fields) -> tuple[list[dict[str, Any]], list[InputError]]:
    """The rows that can be prepared, and what is wrong with the others."""
    _, errors = fields.groups(block)
    good = (row for row in range(block.count) if row not in errors)
    return [{name: _value(column[row]) for name, column in block.columns.items()} for row in good], [*errors.values()]


def _value(value: Any) -> Any:
    """A value alone: a view of an array would keep the whole block."""
    return value.copy() if isinstance(value, np.ndarray) else value


def _bytes(item: Mapping[str, Any]) -> int:
    return sum(value.nbytes if isinstance(value, np.ndarray) else len(str(value)) for value in item.values())
