"""Rows as a measurement gives them."""

from typing import Any

from lit_infer.bench.rows import SERVER, BenchRow
from lit_infer.bench.scenarios import ScenarioRow
from lit_infer.bench.served.record import Floor, ServedRecord

ON_CPU: dict[str, Any] = {
    "engine": "onnxruntime CPUExecutionProvider",
    "device": "cpu",
    "threads": 2,
    "decoded": False,
}
"""Where and how, which is the same in all of them."""
LATENCIES: dict[str, Any] = {"p50_ms": 2, "p90_ms": 2.5, "p95_ms": 2.75, "p99_ms": 3, "p999_ms": 4, "mean_ms": 2.1}
ON_SERVER: dict[str, Any] = {"engine": "onnxruntime_CPU", "device": SERVER, "threads": 0, "decoded": False}
ROW = BenchRow(
    **ON_CPU,
    format="onnx",
    batch_size=1,
    via="call",
    callers=1,
    calls=9,
    images_per_s=500,
    **LATENCIES,
    times_ms=(1.0, 2.0, 4.0),
)
HELD = ScenarioRow(
    **ON_CPU,
    scenario="server",
    format="onnx int8",
    driver="lit-bench",
    images_per_query=1,
    queries=4000,
    seconds=10.04,
    percentile=99,
    latency_ms=48.7,
    bound_ms=50,
    rate=398.2,
    images_per_s=398,
    valid=True,
    why="",
)
RECORD = ServedRecord(
    format="http",
    url="http://127.0.0.1:8000",
    protocol="http",
    server="lit-serve",
    server_version="1.2",
    model="colours",
    model_version="3",
    platform="onnxruntime_CPU",
    sends="tensors",
    floor=(Floor(1, 0.25, 3900.0), Floor(16, 4.0, 4000.0)),
)
