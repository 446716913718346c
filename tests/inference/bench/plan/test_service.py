import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lit_infer.bench.plan.service import ServiceTimes, read
from lit_infer.errors import NotFoundError, UsageError


def row(size: int, **changes: Any) -> dict[str, Any]:
    times = {"p50_ms": 4.0 * size, "p90_ms": 5.0 * size, "p95_ms": 6.0 * size, "p99_ms": None, "p999_ms": None}
    return {"format": "onnx", "via": "call", "threads": 1, "decoded": True, "batch_size": size, **times, **changes}


def written(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "measured.json"
    path.write_text(json.dumps({"rows": rows}))
    return path


def test_the_percentiles_of_each_batch_on_one_core_are_taken(tmp_path: Path) -> None:
    others = row(2, via="submit"), row(2, threads=2)
    times, _ = read(written(tmp_path, row(1), row(8), *others))

    assert times.quantiles == {
        1: ((0.5, 0.004), (0.9, 0.005), (0.95, 0.006)),
        8: ((0.5, 0.032), (0.9, 0.04), (0.95, 0.048)),
    }
    assert times.largest == 8


def test_times_are_drawn_between_percentiles_and_sizes() -> None:
    times = ServiceTimes({1: ((0.5, 1.0), (1.0, 3.0)), 3: ((0.5, 3.0), (1.0, 5.0))})

    assert times.sample(1, np.array([0.0, 0.5, 0.75, 1.0])).tolist() == [1, 1, 2, 3]
    assert times.sample(2, np.array([0.2, 1.0])).tolist() == [2, 4]
    assert times.sample(3, 0.75) == 4
    assert times.mean(1) == pytest.approx(1.5, abs=0.01)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rows": [{}]}', '{"rows": 1}'])
def test_what_lit_bench_has_not_written_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UsageError, match="was not written by lit-bench --json"):
        read(tmp_path / "x.json")


def test_two_graphs_and_none_with_one_thread_are_refused_with_the_command(tmp_path: Path) -> None:
    for rows in ((row(1), row(1, format="openvino")), (row(1, threads=2),)):
        with pytest.raises(UsageError, match="lit-bench MODEL --engine FORMAT --threads 1"):
            read(written(tmp_path, *rows))
    with pytest.raises(NotFoundError, match="no measurement at"):
        read(tmp_path / "nothing.json")
