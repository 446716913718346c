"""The result of a run, counted while it runs, in memory that does not grow with the number of images."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import cast

import numpy as np

from lit_infer.folder.rows.answered import AnsweredBlock
from lit_infer.folder.table import STAGES, Table
from lit_infer.predictions import Timings
from lit_infer.tasks import AnswerTally, Ask, Row, RowTally, Shown, Sources

SHOWN = 10  # rows of the table; the file has all


@dataclass(frozen=True)
class Summary:
    """The result of a run."""

    count: int
    failed: int
    seconds: float
    resumed: int
    """Images of `count` that an earlier, interrupted run had finished."""
    answers: AnswerTally
    """The summary of the answers, as the model's task counts them."""
    codes: Mapping[str, int]
    """Failed images per code."""
    stages: Mapping[str, float]
    """Seconds of work in each stage, summed over the threads."""
    table: Table
    skipped: Mapping[str, int]
    """Files that are no images, by suffix."""
    notes: Mapping[str, int]
    """Images that have something that was not used, by the name of the note."""
    first: Sequence[Row]
    first_failed: Sequence[Row]

    def show(self, row: Row) -> Shown:
        """One of the rows as it is displayed."""
        return self.table.show(row)


class Tally:
    """Counts rows."""

    def __init__(self, table: Table) -> None:
        self.count = self.failed = self.resumed = 0
        self.table = table
        self._answers = table.task.tally(table.reading)
        self.notes: Counter[str] = Counter()
        """Images per note."""
        self.codes: Counter[str] = Counter()
        """Failed images per code."""
        self._stages = dict.fromkeys((*STAGES, "write"), 0.0)
        self._first: list[Row] = []
        self._first_failed: list[Row] = []

    def add(self, row: Row, *, truth: str | None = None, notes: Sequence[str] = ()) -> None:
        """Count one row; `truth` is its class by its source, an index or label."""
        self.count += 1
        if notes:
            self.notes.update(notes)
        failed = row["error"] is not None
        if len(kept := self._first_failed if failed else self._first) < SHOWN:
            kept.append(row)
        if failed:
            self.failed += 1
            self.codes[row["code"]] += 1
            return
        self._answers.add(row, sources(row, truth))

    def add_block(self, block: AnsweredBlock, ask: Ask) -> None:
        """Count the rows of a block."""
        for held, rows in ((self._first, ~block.failed), (self._first_failed, block.failed)):
            if left := SHOWN - len(held):
                held.extend(block.rows(self.table, ask, np.flatnonzero(rows)[:left].tolist()))
        self.count += block.count
        self.failed += len(block.errors)
        self.codes.update(code for _, code in block.errors.values())
        if answers := block.answers(self.table, ask):
            cast(RowTally, self._answers).add_columns(answers, ~block.failed)

    def add_block_time(self, block: AnsweredBlock, *, write: float) -> None:
        """Add the time spent on a block."""
        good = block.count - len(block.errors)
        self._stages["write"] += write
        self._stages["read"] += block.read_ms * good / 1000
        self._stages["decode"] += block.prepare_ms * good / 1000
        self._stages["infer"] += float(block.infer_ms[~block.failed].sum()) / 1000

    def lines(self) -> list[str]:
        """A summary of the answers so far."""
        return self._answers.lines()

    def verdict(self) -> str:
        """How many answers are right, if that is known; else empty."""
        return self._answers.verdict()

    def add_writing(self, seconds: float) -> None:
        """Add the time in which the outputs are made at the end."""
        self._stages["write"] += seconds

    def add_time(self, timings: Timings | None, *, read_ms: float, write: float) -> None:
        """Add the time spent on one image."""
        self._stages["write"] += write
        self._stages["read"] += read_ms / 1000
        if timings is not None:
            for stage in STAGES:
                self._stages[stage] += getattr(timings, f"{stage}_ms") / 1000

    def summary(self, *, seconds: float, skipped: Mapping[str, int] | None = None) -> Summary:
        """The result so far."""
        return Summary(
            count=self.count,
            failed=self.failed,
            seconds=seconds,
            resumed=self.resumed,
            answers=self._answers,
            codes=self.codes,
            stages=self._stages,
            table=self.table,
            skipped=skipped or {},
            notes=self.notes,
            first=self._first,
            first_failed=self._first_failed,
        )


def sources(row: Row, truth: str | None) -> Sources:
    """All that is said of what a row's image shows; `truth`: by a file beside it."""
    return {"cls": truth, "folder": _name(row["path"].rpartition("/")[0])}


@lru_cache(maxsize=64)  # neighbours have the same, and splitting a path costs more than everything else here
def _name(folder: str) -> str:
    return PurePosixPath(folder).name
