"""The numbers of one served model."""

import threading

from lit_infer.server.models.stats import STAGES, Spent, Stats, Total

SPENT = Spent(queue=0.001, compute_input=0.002, compute_infer=0.003, compute_output=0.004, total=0.01)


def test_a_total_counts_and_sums() -> None:
    total = Total()

    total.add(0.5)
    total.add(0.25, count=3)

    assert (total.count, total.ns) == (4, 750_000_000)


def test_an_answered_request_adds_its_rows_and_stages() -> None:
    stats = Stats()

    stats.succeeded(4, SPENT)
    stats.succeeded(1, SPENT)

    assert (stats.success.count, stats.success.ns, stats.inferences) == (2, 20_000_000, 5)
    assert [stats.stages[stage].ns for stage in STAGES] == [2_000_000, 4_000_000, 6_000_000, 8_000_000]
    assert stats.last_inference_ms > 0


def test_failures_are_counted_by_reason_and_their_time_together() -> None:
    stats = Stats()

    stats.failed("REJECTED", 1)
    stats.failed("REJECTED", 1)
    stats.failed("BACKEND", 2)

    assert (dict(stats.failures), stats.fail.ns) == ({"REJECTED": 2, "BACKEND": 1}, 4_000_000_000)


def test_runs_are_counted_by_batch_size() -> None:
    stats = Stats()

    stats.ran(2, compute_input=0.5, compute_infer=1)
    stats.ran(2, compute_input=0.5, compute_infer=1)
    stats.ran(8, compute_input=0, compute_infer=1)

    assert (stats.executions, sorted(stats.batches)) == (3, [2, 8])
    assert (stats.batches[2].compute_infer.count, stats.batches[2].compute_input.ns) == (2, 1_000_000_000)


def test_no_request_is_lost_between_threads() -> None:
    stats = Stats()
    threads = [threading.Thread(target=lambda: [stats.succeeded(1, SPENT) for _ in range(500)]) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (stats.success.count, stats.inferences) == (2000, 2000)
