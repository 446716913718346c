import numpy as np
import pytest

from lit_infer.bench.latencies import PERCENTILES, calls_needed, percentiles


def test_percentiles_are_those_of_the_calls() -> None:
    found = percentiles([float(number) for number in range(10_001)])

    assert found == {50: 5000, 90: 9000, 95: 9500, 99: 9900, 99.9: pytest.approx(9990)}


@pytest.mark.parametrize(
    ("calls", "told"), [(1, 1), (29, 1), (30, 2), (59, 2), (60, 3), (299, 3), (300, 4), (2999, 4), (3000, 5)]
)
def test_too_few_calls_for_a_percentile_give_none(calls: int, told: int) -> None:
    found = percentiles(np.ones(calls))

    assert [found[name] for name in PERCENTILES] == [1.0] * told + [None] * (5 - told)


@pytest.mark.parametrize("percentile", PERCENTILES[1:])
def test_with_enough_calls_one_beyond_the_percentile_is_seen_in_95_of_100_runs(percentile: float) -> None:
    unseen = (percentile / 100) ** calls_needed(percentile)

    assert unseen < 0.05
