"""What was taken for what, where the sources of a run's images say what each of them shows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lit_infer.folder import tally
from lit_infer.folder.table import Table
from lit_infer.tasks import Row, Sources

Pair = tuple[str, str]
"""What an image shows, and what was answered; empty for no answer."""


@dataclass(frozen=True)
class Confused:
    """The answers of a run, of which each is known to be right or wrong."""

    source: str
    """Which of the sources knows it."""
    pairs: Counter[Pair]
    """Images per pair."""
    names: Sequence[str]
    """All answers that the model has, in its order."""

    @property
    def count(self) -> int:
        """All images."""
        return self.pairs.total()

    @property
    def wrong(self) -> list[tuple[Pair, int]]:
        """The pairs that differ, the most frequent first."""
        return [(pair, count) for pair, count in self.pairs.most_common() if pair[0] != pair[1]]


class Confusion:
    """Counts pairs: its memory grows with the classes, not with the images."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._pairs: dict[str, Counter[Pair]] | None = None

    def add(self, row: Row, truth: str | None) -> None:
        """Count a row; `truth` is what the file beside its image says."""
        if row["error"] is not None or self._table.task.known is None:
            return
        found = truths(self._table, row, truth)
        if self._pairs is None:
            self._pairs = {source: Counter() for source in found}
        for source in list(self._pairs):
            if (is_truly := found[source]) is None:
                del self._pairs[source]  # if it does not know one image, nothing can be said about all
            else:
                self._pairs[source][is_truly, answered(self._table, row)] += 1

    def result(self) -> Confused | None:
        """None where no source knows all images."""
        known = self._table.task.known
        if known is None:
            return None
        for source, pairs in (self._pairs or {}).items():
            if known.needed is None or any(is_truly == known.needed for is_truly, _ in pairs):
                return Confused(source, pairs, known.names(self._table.reading))
        return None


def truths(table: Table, row: Row, truth: str | None) -> Sources:
    """What each source says that a row should be answered with; the most reliable first."""
    known = table.task.known
    return {} if known is None else known.truths(row, tally.sources(row, truth), table.reading)


def answered(table: Table, row: Row) -> str:
    """The row's own answer; empty for none."""
    return table.show(row).groups[0]


def seems_wrong(table: Table, row: Row, truth: str | None) -> bool:
    """Whether the most reliable source that knows this image says something else, whatever it says of others."""
    said = next((one for one in truths(table, row, truth).values() if one is not None), None)
    return said is not None and said != answered(table, row)
