"""How good points are: PCK, the share that lie near enough to the truth, as a share of a length of the thing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

METRIC = "PCK@0.1"
SHARES = {METRIC: 0.1, "PCK@0.2": 0.2}
"""By name: how far a correct point may be off, as a share of the length."""


def length_of(scale: float, width: int, height: int) -> float:
    """What distances are shares of: the longer side of the thing's box, `scale`, or of the image where that is NaN."""
    return float(max(width, height)) if np.isnan(scale) else float(scale)


def distances(points: NDArray[Any], truth: NDArray[Any], length: float) -> NDArray[np.float64]:
    """Of points [..., 2] from the truth, as shares of `length`; NaN where the truth is not known, infinite where the
    point is not (NaN).
    """
    off = np.hypot(*np.moveaxis(points - truth, -1, 0).astype(np.float64)) / length
    missing = np.isnan(points).any(-1) & ~np.isnan(truth).any(-1)
    return np.where(missing, np.inf, off)


def scores(off: NDArray[np.float64]) -> dict[str, float]:
    """The shares of all known points that are correct, `METRIC` first; 0 where nothing is known."""
    known = off[~np.isnan(off)]
    return {name: float((known <= most).mean()) if len(known) else 0.0 for name, most in SHARES.items()}
