"""Whether a served model is the one in this process: both get the same request once, before anything is timed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lit_infer.batching.sizes import images_per_run
from lit_infer.bench.served.model import ServedModel
from lit_infer.bench.subjects import Subject
from lit_infer.errors import GateError
from lit_infer.predictor import Predictor
from lit_infer.proof import difference, same_weights
from lit_infer.tensors import NamedArrays

_ROWS = 4


@dataclass(frozen=True)
class MatchingGraph:
    """The graph in this process whose answers a served model gives."""

    name: str
    difference: float
    """The largest difference, as a share of the largest answer."""


def check_same(served: ServedModel, subjects: Sequence[Subject]) -> MatchingGraph:
    """Compare with each graph of the bundle. Raises GateError if it answers like none of them."""
    own = {subject.name: subject for subject in reversed(subjects)}  # for each graph, one number of threads is enough
    found = [MatchingGraph(name, _difference(served, subject.predictor)) for name, subject in own.items()]
    best = min(found, key=lambda one: one.difference / _allowed(own[one.name]))
    if best.difference > _allowed(own[best.name]):
        identity = own[best.name].predictor.manifest.identity()
        raise GateError(
            f"{served} does not give the answers of {identity} here ({best.name} differs by {best.difference:.2g} of "
            "the largest answer): it is another model, or another precision. Measure it alone, or name its own bundle"
        )
    return best


def _allowed(subject: Subject) -> float:
    listed = subject.file.listed if subject.file is not None else None
    return same_weights(listed.precision if listed is not None else None)


def _difference(served: ServedModel, predictor: Predictor) -> float:
    """The largest difference of all outputs; infinite if names or shapes are not the same."""
    ours, rows = _ours(served, predictor)
    theirs = served.ask(served.samples.rows(range(rows)), rows).outputs
    if ours.keys() != theirs.keys() or any(ours[name].shape != theirs[name].shape for name in ours):
        return float("inf")
    theirs = predictor.manifest.spec.named_in_order_of(theirs, ours)
    return max(difference(theirs[name], ours[name]).share for name in ours)


def _ours(served: ServedModel, predictor: Predictor) -> tuple[NamedArrays, int]:
    rows = served.fixed_batch or images_per_run(predictor.manifest, _ROWS)
    asked = served.samples.rows(range(rows))
    prepared = {
        name: array if isinstance(array, np.ndarray) else np.stack([predictor.prepare(image) for image in array])
        for name, array in asked.items()
    }
    return predictor.run(prepared), rows
