"""Whether two answers are the same, and an array fits a tensor: one rule for export, self-test, server and bench."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lit_infer.manifest import Dimension, Graph, Manifest, Parity, Precision

_TINY = float(np.finfo(np.float32).tiny)
_INT8_SLACK, _INT8_ROOM = 2.0, 1e-3


@dataclass(frozen=True)
class Tolerance:
    """|graph - eager| <= atol x the largest answer + rtol x |eager|, for each value.

    And no more than `of_spread` of the spread of the answers over the inputs: otherwise a graph that ignores its input
    would match a module that answers nearly the same for every input.
    """

    atol: float
    rtol: float
    of_spread: float


TOLERANCES: dict[Precision, Tolerance] = {
    # The relative part detects an error in the logits of classes that the softmax makes small.
    "fp32": Tolerance(atol=1e-5, rtol=1e-3, of_spread=0.05),
    "fp16": Tolerance(atol=1e-2, rtol=1e-2, of_spread=0.25),
    "bf16": Tolerance(atol=5e-2, rtol=5e-2, of_spread=0.5),
    # A quantized graph is not the same function: its accuracy is what is checked (`--max-drop`).
    "int8": Tolerance(atol=1.0, rtol=0.0, of_spread=1.0),
}

INT8_ALONE = Tolerance(atol=0.05, rtol=0.05, of_spread=0.25)
"""For int8 of a task whose answers cannot be right or wrong: nothing but the difference says whether it is good."""

_SAME_WEIGHTS = {"fp32": 1e-3}
_SAME_WEIGHTS_ELSE = 2e-2


def same_weights(precision: Precision | None) -> float:
    """The share of the largest answer by which two engines with the same weights may differ.

    In float32 they agree to about 1e-5, in smaller types to 1e-2; other weights do not.
    """
    return _SAME_WEIGHTS.get(precision or "fp32", _SAME_WEIGHTS_ELSE)


def fits(have: Sequence[int], want: Sequence[Dimension], sides: dict[str, int]) -> bool:
    """Whether a shape fits the manifest's. A named side has one length in all tensors, recorded in `sides`."""
    if len(have) != len(want):
        return False
    pairs = zip(have, want, strict=True)
    return all(here == (sides.setdefault(side, here) if isinstance(side, str) else side) for here, side in pairs)


@dataclass(frozen=True)
class Difference:
    """How far answers are from the truth."""

    values: NDArray[np.float64]
    """Of each value."""
    truth: NDArray[np.float64]
    floor: float
    """The least magnitude that relative differences are divided by."""

    @property
    def max_abs(self) -> float:
        """The largest difference."""
        return float(self.values.max(initial=0))

    @property
    def max_rel(self) -> float:
        """The largest relative to its value."""
        return float((self.values / np.maximum(np.abs(self.truth), self.floor)).max(initial=0))

    @property
    def share(self) -> float:
        """The largest as a share of the largest answer."""
        return self.max_abs / max(float(np.abs(self.truth).max(initial=0)), _TINY)


def difference(
    found: NDArray[np.generic], truth: NDArray[np.generic], *, atol: float = 0.0, largest: float | None = None
) -> Difference:
    """Compare two arrays of one shape. `largest`: the largest answer, if it is not among these."""
    here, there = found.astype(np.float64), truth.astype(np.float64)
    size = float(np.abs(there).max(initial=0)) if largest is None else largest
    return Difference(np.abs(here - there), there, max(atol * size, _TINY))


def allowed(listed: Graph, parity: Parity, measured: Difference) -> NDArray[np.float64]:
    """For each value, how far a graph may be from the eager module wherever it runs, as it was proven at export."""
    most = np.maximum(measured.floor + parity.rtol * np.abs(measured.truth), 4 * (parity.eager_error or 0.0))
    if listed.precision == "int8":
        # Its accuracy was gated, not its tolerance; wherever it runs, it must behave as the graph that was gated.
        largest = float(np.abs(measured.truth).max(initial=0))
        most = np.minimum(most, _INT8_SLACK * parity.max_abs + _INT8_ROOM * largest)
    return most


def agreement(found: NDArray[np.generic], truth: NDArray[np.generic], manifest: Manifest) -> float | None:
    """Share of rows, 0 to 1, with the same answer, as the model's task defines it.

    None for a task that does not, and where all rows have one answer: a graph that ignores its input agrees too.
    """
    law = manifest.spec.agreement
    if law is None or (manifest.proof is not None and not manifest.proof.varies):
        return None
    if (law.same(truth, np.repeat(truth[:1], len(truth), axis=0), manifest.reading) == 1).all():
        return None
    return float(law.same(found, truth, manifest.reading).mean())
