"""What a run comes to, counted while it runs: the memory it takes does not grow with the images."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from lit_infer.folder.writers import STAGES, Row
from lit_infer.predictions import Timings

SHOWN = 10  # rows of the table; the file has all

# Where an image's class may be known from, the surer first.
TRUTHS = {"cls": "the .cls members have the labels", "folder": "the folders' names are the labels"}


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
    """(right, all) where the class of each image is known, from its folder's name or its `.cls`; else None."""
    truth: str
    """Where the classes of `accuracy` come from, in words."""
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
        self._classes = tuple(labels or ())
        self._right: dict[str, int | None] = dict.fromkeys(TRUTHS, 0 if self._classes else None)
        self._unlabelled = 0
        self._stages = dict.fromkeys((*STAGES, "write"), 0.0)
        self._first: list[Row] = []
        self._first_failed: list[Row] = []

    def add(self, row: Row, *, truth: str | None = None) -> None:
        """Count one row; `truth` is what its source says that it shows, a class's index or label."""
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
        folder = _name(row["path"].rpartition("/")[0])
        self._compare(row, "cls", meant(truth, self._classes))
        self._compare(row, "folder", folder if folder in self._classes else None)

    def _compare(self, row: Row, source: str, truth: str | None) -> None:
        right = self._right[source]
        # Where one image's class is not known, nothing can be said of all.
        self._right[source] = None if right is None or truth is None else right + (row["label"] == truth)

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
        known = [(source, right) for source, right in self._right.items() if read and right is not None]
        return Summary(
            count=self.count,
            failed=self.failed,
            seconds=seconds,
            resumed=self.resumed,
            labels=self._labels,
            unlabelled=self._unlabelled,
            codes=self._codes,
            accuracy=(known[0][1], read) if known else None,
            truth=TRUTHS[known[0][0]] if known else "",
            stages=self._stages,
            first=self._first,
            first_failed=self._first_failed,
        )


@lru_cache(maxsize=64)  # neighbours have the same, and to take a path apart costs more than all else here
def _name(folder: str) -> str:
    return PurePosixPath(folder).name


def meant(truth: str | None, labels: Sequence[str]) -> str | None:
    """The label that a `.cls` means: a label itself or its index; None for neither, and where it could be both."""
    if truth is None:
        return None
    by_index = labels[int(truth)] if re.fullmatch(r"[0-9]{1,9}", truth) and int(truth) < len(labels) else None
    by_name = truth if truth in labels else None
    return by_index or by_name if None in (by_index, by_name) or by_index == by_name else None
