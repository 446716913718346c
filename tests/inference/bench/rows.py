"""Rows as a measurement gives them."""

from lit_infer.bench.cells import Row

ROW = Row(
    format="onnx",
    engine="onnxruntime CPUExecutionProvider",
    device="cpu",
    threads=2,
    batch_size=1,
    via="call",
    callers=1,
    decoded=False,
    calls=9,
    p50_ms=2,
    p90_ms=2.5,
    p95_ms=2.75,
    p99_ms=3,
    p999_ms=4,
    mean_ms=2.1,
    images_per_s=500,
    times_ms=(1.0, 2.0, 4.0),
)
