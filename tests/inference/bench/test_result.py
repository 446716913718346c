"""All that one run found, as --json prints it."""

import json
from dataclasses import replace

from lit_infer.bench.result import BenchResult
from lit_infer.errors import EngineError
from tests.inference.bench.rows import HELD, RECORD, ROW
from tests.inference.tiny import described

LOCAL = BenchResult("artifacts/colours", described(), {"cores": 2}, rows=[ROW], scenarios=[HELD])
SERVED = BenchResult("colours", None, {}, rows=[ROW], served=[RECORD])


def test_it_is_plain_json_without_the_single_times() -> None:
    found = json.loads(json.dumps(LOCAL.as_data()))

    assert "times_ms" not in found["rows"][0]
    assert found["rows"][0]["p50_ms"] == ROW.p50_ms
    assert found["scenarios"][0]["latency_ms"] == HELD.latency_ms
    assert (found["digest"], found["error"], found["interrupted"]) == ("0123456789abcdef" * 4, None, False)


def test_a_model_in_this_process_is_known_by_name_and_weights_and_a_served_one_by_what_its_server_says() -> None:
    assert (LOCAL.name, LOCAL.identity) == ("colours", described().identity())
    assert (SERVED.name, SERVED.identity) == ("colours", RECORD.identity)
    assert SERVED.as_data()["digest"] is None


def test_failed_requests_are_counted_over_everything() -> None:
    rows, scenarios = [replace(ROW, failed=2), ROW], [replace(HELD, failed=3)]

    assert replace(LOCAL, rows=rows, scenarios=scenarios).failed == 5
    assert LOCAL.failed == 0


def test_only_a_rate_that_was_to_be_held_can_be_missed() -> None:
    free = replace(HELD, rate=None, valid=False)

    assert replace(LOCAL, scenarios=[HELD, free]).holds_rate
    assert not replace(LOCAL, scenarios=[HELD, replace(HELD, valid=False)]).holds_rate


def test_what_ended_it_early_is_told() -> None:
    found = replace(LOCAL, error=EngineError("the server is gone"), interrupted=True).as_data()

    assert (found["error"], found["interrupted"]) == ("the server is gone", True)
