"""When requests arrive: a Poisson process of constant, bursty or slowly changing rate."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]

_BURST_RATE, _BURST_SHARE, _BURST_S = 4.0, 0.1, 0.5
_DAY_SWING = 0.6


def poisson(rate: float, count: int, generator: np.random.Generator) -> Times:
    """So many arrivals in seconds, ascending, at `rate` per second on average: independent of each other."""
    return np.cumsum(generator.exponential(1 / rate, count))


def bursty(rate: float, count: int, generator: np.random.Generator) -> Times:
    """Half a second in every five, in which four times as many arrive as in the mean; fewer between.

    The bursts come at fixed times: at random ones, a simulation of a minute would depend on how many it met.
    """
    calm = (1 - _BURST_RATE * _BURST_SHARE) / (1 - _BURST_SHARE)
    cycle = _BURST_S / _BURST_SHARE
    starts = np.arange(int(count / rate / cycle) + 2) * cycle
    grid = np.stack([starts, starts + cycle - _BURST_S], axis=1).ravel()
    own = np.tile([calm * (cycle - _BURST_S), _BURST_RATE * _BURST_S], len(starts))
    return _seen_through(grid, np.concatenate([[0], np.cumsum(own)[:-1]]) * rate, count, generator)


def diurnal(rate: float, count: int, generator: np.random.Generator) -> Times:
    """A day in short: the rate goes up to 1.6 times its mean and down to 0.4 once, as a sine."""
    length = count / rate
    grid = np.linspace(0, length, 4096)
    expected = rate * (grid - _DAY_SWING * length / (2 * np.pi) * (np.cos(2 * np.pi * grid / length) - 1))
    return _seen_through(grid, expected, count, generator)


def _seen_through(grid: Times, expected: Times, count: int, generator: np.random.Generator) -> Times:
    """A Poisson process with so many arrivals expected by each time of a grid: one of rate 1, through the inverse."""
    unit = np.cumsum(generator.exponential(1, count))
    times: Times = np.interp(unit, expected, grid)[unit < expected[-1]]
    return times


ARRIVALS: dict[str, Callable[[float, int, np.random.Generator], Times]] = {
    "poisson": poisson,
    "bursty": bursty,
    "diurnal": diurnal,
}

SUSTAINED = {"poisson": 1.0, "bursty": 1.0, "diurnal": 1 + _DAY_SWING}
"""The highest rate that lasts, as a multiple of the mean: servers that cannot keep it up fall behind for hours."""
