import io

import numpy as np
import pytest
from rich.console import Console

from lit_infer.batching.batcher import BatchPolicy
from lit_infer.bench.plan import report
from lit_infer.bench.plan.planning import Demand, PlanLine
from lit_infer.bench.plan.simulation import Simulated

DEMAND = Demand(rate=1000, p99=0.02, workers=2)


def line(servers: int, milliseconds: float, *, refused: int = 0, load: float = 0.5) -> PlanLine:
    latencies = np.full(99, milliseconds / 1e3)
    return PlanLine(servers, BatchPolicy(max_delay=0.002), Simulated(latencies, refused, 33, 0.5), load)


def test_a_row_says_what_a_number_of_servers_gives_and_costs() -> None:
    data = report.as_data(line(4, 10, refused=1), DEMAND, 0.18)

    assert (data["servers"], data["max_batch"], data["max_delay_ms"], data["mean_batch"]) == (4, 8, 2, 3)
    assert (data["p99_ms"], data["refused"], data["keeps"]) == (pytest.approx(10), 0.01, False)
    assert data["cost_per_million"] == pytest.approx(4 * 0.18 / 3600 * 1000)
    assert "cost_per_million" not in report.as_data(line(4, 10), DEMAND, None)


def test_the_table_says_why_a_number_is_too_few() -> None:
    text = io.StringIO()
    lines = [line(1, 30, load=1.2), line(2, 30), line(3, 10, refused=5), line(4, 10)]
    Console(file=text, width=120).print(report.table(lines, DEMAND, 0.18))

    ends = [shown.rstrip().rpartition("  ")[2].strip() for shown in text.getvalue().splitlines()[1:]]
    assert ends == ["overloaded", "too slow", "refuses", "0.20"]


def test_the_result_is_one_sentence_with_the_server_s_options() -> None:
    first, second = report.notes([line(3, 30), line(4, 10), line(5, 9)], DEMAND, "big=1")

    assert first == (
        "4 servers of 2 cores on big with lit-serve --max-batch 8 --max-delay 2ms keep p99 within 20 ms "
        "at 1000 requests/s (poisson)"
    )
    assert "simulated" in second
    assert "--rate 250" in second
