"""Sizes that a graph may have been frozen for: it is compared there too, if the module itself takes them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from lit_export.proof.samples import Sample, beyond
from lit_export.reasons import reason_of
from lit_export.tasks import Target
from lit_infer.batching.sizes import BATCH
from lit_infer.errors import GateError
from lit_infer.manifest import Parity


@dataclass(frozen=True)
class Doubt:
    """A size of a dynamic side for which a graph may be another than the module."""

    side: str
    size: int
    place: str
    """The line that asks for the size, as `net.py:12`; empty where it is not known."""


@dataclass(frozen=True)
class DoubtedSizes:
    """Those of all graphs of a target: what one exporter took for granted, another one may do too."""

    target: Target
    _samples: dict[Doubt, Sample | None] = field(default_factory=dict)

    def add(self, doubts: Iterable[Doubt], known: Iterable[Doubt] = ()) -> None:
        """Ask the module for its answers there. `known`: doubts that may know the line."""
        places = {(one.side, one.size): one.place for one in known}
        for doubt in doubts:
            placed = replace(doubt, place=doubt.place or places.get((doubt.side, doubt.size), ""))
            if placed not in self._samples:
                self._samples[placed] = beyond(self.target, {doubt.side: doubt.size})

    def compare(self, expected: Sequence[Sample], measure: Callable[[Sequence[Sample]], Parity]) -> Parity | None:
        """Compare there, beside what was expected; None where there is nothing to compare. Raises GateError."""
        found = {doubt: sample for doubt, sample in self._samples.items() if sample is not None}
        if not found:
            return None
        try:
            return measure([*expected, *found.values()])
        except Exception:  # an engine may raise anything for a size that its graph is not for
            for doubt, sample in found.items():
                _check(doubt, partial(measure, [*expected, sample]))
            raise


def _check(doubt: Doubt, compare: Callable[[], Parity]) -> None:
    try:
        compare()
    except Exception as error:
        raise GateError(_why(doubt, reason_of(error))) from None


def _why(doubt: Doubt, reason: str) -> str:
    is_batch = doubt.side == BATCH
    what = f"{doubt.size} rows" if is_batch else f"{doubt.side} {doubt.size}"
    line = f" ({doubt.place})" if doubt.place else ""
    cure = "fix it with --static-batch N" if is_batch else f"leave {doubt.side} out of --dynamic"
    return f"with {what}, {reason}. forward decides on that size{line}: write it for any, or {cure}"
