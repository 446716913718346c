import numpy as np
import pytest

from lit_infer.bench.plan.arrivals import ARRIVALS, bursty, diurnal, poisson


def generator() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.mark.parametrize("name", list(ARRIVALS))
def test_times_ascend_at_the_rate_and_are_the_same_again(name: str) -> None:
    times = ARRIVALS[name](500.0, 100_000, generator())

    assert (np.diff(times) >= 0).all()
    assert len(times) == pytest.approx(100_000, rel=0.02)
    assert len(times) / times[-1] == pytest.approx(500, rel=0.1)
    assert np.array_equal(times, ARRIVALS[name](500.0, 100_000, generator()))


def dispersion(times: np.ndarray) -> float:
    """The variance of the arrivals per second over their mean: 1 of a Poisson process."""
    counts = np.bincount(times.astype(int))[:-1]
    return float(counts.var() / counts.mean())


def test_bursts_are_more_than_chance() -> None:
    assert dispersion(poisson(100, 100_000, generator())) == pytest.approx(1, abs=0.2)
    assert dispersion(bursty(100, 100_000, generator())) > 10


def test_a_day_has_a_peak_and_a_trough() -> None:
    counts = np.histogram(diurnal(100, 100_000, generator()), bins=20)[0] / 5_000

    assert counts.max() == pytest.approx(1.6, abs=0.1)
    assert counts.min() == pytest.approx(0.4, abs=0.1)
