"""Percentiles of the calls' times, without those that need more calls."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)


def calls_needed(percentile: float) -> int:
    """How many calls a percentile needs to be shown; the median always is.

    Of n calls, n * (1 - p) are expected to be slower than the true percentile. If that is less than 3, the chance that
    not a single one was slower is more than e**-3, or 5 %, and the figure would be a matter of luck.
    """
    return 1 if percentile == 50 else round(3 / (1 - percentile / 100))


def percentiles(times: Sequence[float] | NDArray[np.float64]) -> dict[float, float | None]:
    """Each of PERCENTILES, or None if there were too few calls for it."""
    values, count = np.percentile(times, PERCENTILES), len(times)
    return {
        name: float(value) if count >= calls_needed(name) else None
        for name, value in zip(PERCENTILES, values, strict=True)
    }
