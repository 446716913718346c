"""What a run comes to, counted while it runs: the memory it takes does not grow with the images."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from lit_infer.predictions import Timings
from lit_infer.writers import STAGES, Row

SHOWN = 10  # rows of the table; the file has all


@dataclass(frozen=True)
class Summary:
    """What a run came to."""

    count: int
    failed: int
    seconds: float
    resumed: int
    """Images of `count` that an earlier, interrupted run had done."""
    labels: Mapping[str, int]
    """Images per class."""
    unlabelled: int
    """Images below the threshold."""
    codes: Mapping[str, int]
    """Failed images per code."""
    accuracy: tuple[int, int] | None
    """(right, all) where each image lies in a folder named after its class; None where one does not."""
    stages: Mapping[str, float]
    """Seconds of work in each stage, summed over the threads."""
    first: Sequence[Row]
    first_failed: Sequence[Row]


class Tally:
    """Counts rows."""

    def __init__(self, labels: Sequence[str] | None) -> None:
        self.count = self.failed = self.resumed = 0
        self._labels: Counter[str] = Counter()
        self._codes: Counter[str] = Counter()
        self._classes = frozenset(labels or ())
        self._right = self._unlabelled = 0
        self._stages = dict.fromkeys((*STAGES, "write"), 0.0)
        self._first: list[Row] = []
        self._first_failed: list[Row] = []

    def add(self, row: Row) -> None:
        """Count one row."""
        self.count += 1
        failed = row["error"] is not None
        if len(kept := self._first_failed if failed else self._first) < SHOWN:
            kept.append(row)
        if failed:
            self.failed += 1
            self._codes[row["code"]] += 1
            return
        if row["label"] is not None:
            self._labels[row["label"]] += 1
        elif row["score"] is not None:
            self._unlabelled += 1
        truth = PurePosixPath(row["path"]).parent.name
        if truth not in self._classes:
            self._classes = frozenset()  # no more a folder of classes
        self._right += row["label"] == truth

    def add_time(self, timings: Timings | None, *, read_ms: float, write: float) -> None:
        """Count the work that one image was."""
        self._stages["write"] += write
        self._stages["read"] += read_ms / 1000
        if timings is not None:
            for stage in STAGES:
                self._stages[stage] += getattr(timings, f"{stage}_ms") / 1000

    def summary(self, *, seconds: float) -> Summary:
        """What it came to so far."""
        read = self.count - self.failed
        return Summary(
            count=self.count,
            failed=self.failed,
            seconds=seconds,
            resumed=self.resumed,
            labels=self._labels,
            unlabelled=self._unlabelled,
            codes=self._codes,
            accuracy=(self._right, read) if read and self._classes else None,
            stages=self._stages,
            first=self._first,
            first_failed=self._first_failed,
        )
