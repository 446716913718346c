"""How a row comes from the times of single calls."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer import Timings
from lit_infer.bench.rows import CallTimes, Unit, Via, plain, unit_of
from lit_infer.errors import EngineError


class Described:
    """What was called."""

    name, engine, device, threads = "onnx", "python", "cpu", 2

    def __init__(self, *, decoded: bool = False, unit: Unit = "images") -> None:
        self.decoded, self.unit = decoded, unit


seconds = st.lists(st.floats(1e-6, 10), min_size=1, max_size=50)


@given(times=seconds, batch_size=st.integers(1, 64), via=st.sampled_from(["call", "submit"]))
def test_images_per_second_count_all_images_over_all_the_time(times: list[float], batch_size: int, via: Via) -> None:
    record = CallTimes(times=times, elapsed=sum(times))

    row = record.as_row(Described(), batch_size=batch_size, via=via, callers=1)

    each = batch_size if via == "call" else 1
    assert row.images_per_s == pytest.approx(each * len(times) / sum(times))
    assert row.p50_ms == pytest.approx(float(np.median(times)) * 1e3)
    assert row.mean_ms is not None
    assert min(times) * 1e3 - 1e-9 <= row.mean_ms <= max(times) * 1e3 + 1e-9
    assert row.times_ms == pytest.approx([one * 1e3 for one in times])


@pytest.mark.parametrize(("calls", "told"), [(29, 0), (30, 1), (300, 3), (3000, 4)])
def test_a_percentile_that_so_few_calls_cannot_show_is_left_out(calls: int, told: int) -> None:
    row = CallTimes(times=[0.001] * calls, elapsed=1).as_row(Described(), batch_size=1, via="call", callers=1)

    assert [value is not None for value in (row.p90_ms, row.p95_ms, row.p99_ms, row.p999_ms)].count(True) == told


def test_the_stages_are_the_mean_work_on_one_image() -> None:
    timings = [Timings(read_ms=1, decode_ms=2, resize_ms=3, infer_ms=4), Timings(3, 2, 1, 0)]
    record = CallTimes(times=[1.0], timings=timings, elapsed=1)

    decoded = record.as_row(Described(decoded=True), batch_size=2, via="call", callers=1)

    assert decoded.stages_ms == {"read": 2, "decode": 2, "resize": 2, "infer": 2}
    assert record.as_row(Described(), batch_size=2, via="call", callers=1).stages_ms is None


def test_of_a_model_of_rows_the_figures_are_about_rows() -> None:
    timings = [Timings(read_ms=0, decode_ms=2, resize_ms=0, infer_ms=4)]
    record = CallTimes(times=[1.0], timings=timings, elapsed=1)

    found = record.as_row(Described(decoded=True, unit="rows"), batch_size=2, via="call", callers=1)
    images = record.as_row(Described(), batch_size=2, via="call", callers=1)

    assert found.stages_ms == {"read": 0, "prepare": 2, "infer": 4}
    assert (plain(found)["rows_per_s"], plain(found)["unit"]) == (2, "rows")
    assert not {"images_per_s", "times_ms"} & plain(found).keys()
    assert plain(images)["images_per_s"] == 2
    assert [unit_of([found]), unit_of([images]), unit_of([found, images])] == ["rows", "images", "items"]


def test_after_the_warm_up_nothing_of_it_is_left() -> None:
    record = CallTimes(times=[1.0], refused=["full"], elapsed=0.0)

    record.clear()

    assert record == CallTimes()
    record.refused.append("full again")
    with pytest.raises(EngineError, match="onnx: none of 1 calls was answered: full again"):
        record.as_row(Described(), batch_size=1, via="call", callers=1)
