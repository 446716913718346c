from dataclasses import replace

import pytest

from lit_infer.bench.plan.planning import Demand, plan
from lit_infer.bench.plan.service import ServiceTimes
from lit_infer.errors import GateError, UsageError

TIMES = ServiceTimes({1: ((0.5, 0.005), (0.99, 0.006)), 8: ((0.5, 0.02), (0.99, 0.024))})
"""200 requests/s one by one, 400 in batches of eight."""
DEMAND = Demand(rate=1500, p99=0.08)


def needed(demand: Demand) -> int:
    """The least number of servers."""
    return next(line.servers for line in plan(TIMES, demand, delays=(0.0,)) if line.keeps(demand))


def test_the_least_number_keeps_the_bound_and_one_less_does_not() -> None:
    first, second, *more = plan(TIMES, DEMAND)

    assert not first.keeps(DEMAND)
    assert (first.servers + 1, second.keeps(DEMAND)) == (second.servers, True)
    assert second.servers in (4, 5)  # 3.75 would be busy all the time
    assert all(line.keeps(DEMAND) for line in more)
    assert second.policy.max_batch == 8


def test_more_load_a_lesser_bound_and_bursts_need_more_servers_and_cores_fewer() -> None:
    usual = needed(DEMAND)

    assert needed(replace(DEMAND, rate=6000)) > 3 * usual
    assert needed(replace(DEMAND, p99=0.015)) > usual
    assert needed(replace(DEMAND, arrivals="bursty")) > usual
    assert needed(replace(DEMAND, workers=4)) < usual


def test_an_overloaded_server_keeps_no_bound_however_wide() -> None:
    wide = replace(DEMAND, p99=1e6, queue=10**9)

    lines = plan(TIMES, wide, delays=(0.0,))

    assert lines[0].load > 1
    assert not lines[0].keeps(wide)
    assert needed(wide) == 4


def test_a_day_s_peak_must_be_kept_up_though_a_simulated_day_is_short() -> None:
    wide = replace(DEMAND, p99=1e6, queue=10**9, arrivals="diurnal")

    assert needed(wide) == 7  # 1.6 * 1500 / 400 is 6


def test_the_same_seed_gives_the_same_plan() -> None:
    one, two = (plan(TIMES, DEMAND, delays=(0.0,)) for _ in range(2))

    assert [line.simulated.percentile(99) for line in one] == [line.simulated.percentile(99) for line in two]


def test_a_bound_that_no_number_keeps_is_said() -> None:
    with pytest.raises(GateError, match=r"no number of servers keeps p99 within 4 ms: .* takes 6 ms"):
        plan(TIMES, replace(DEMAND, p99=0.004))


@pytest.mark.parametrize("changes", [{"rate": 0.0}, {"p99": 0.0}, {"workers": 0}, {"arrivals": "never"}])
def test_a_load_that_makes_no_sense_is_refused(changes: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        plan(TIMES, replace(DEMAND, **changes))  # type: ignore[arg-type]
