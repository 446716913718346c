"""`/metrics` for Prometheus: counters with Triton's names, and histograms of latency and batch size.

prometheus-client appends `_total` to the name of every counter, so only the histograms come from it.
"""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest

from lit_infer.server.models.slot import Slot
from lit_infer.server.models.stats import REASONS, STAGES

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128)
_Value = Callable[[Slot], float]

_COUNTERS: tuple[tuple[str, str, _Value], ...] = (
    ("nv_inference_request_success", "Requests answered", lambda slot: slot.stats.success.count),
    ("nv_inference_count", "Inferences, a batch of n counting n", lambda slot: slot.stats.inferences),
    ("nv_inference_exec_count", "Runs of the graph", lambda slot: slot.stats.executions),
    ("nv_inference_request_duration_us", "Time of answered requests", lambda slot: slot.stats.success.ns // 1000),
)


class Metrics:
    """What is counted in addition to each model's statistics."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        labels = ("model", "version")
        self._latency = Histogram(
            "lit_serve_request_duration_seconds",
            "Time of answered requests",
            labels,
            buckets=_LATENCIES,
            registry=self._registry,
        )
        self._rows = Histogram(
            "lit_serve_request_rows", "Rows of a request", labels, buckets=_ROWS, registry=self._registry
        )
        self._cells: dict[tuple[str, str], tuple[Histogram, Histogram]] = {}

    def answered(self, name: str, version: str, *, seconds: float, rows: int) -> None:
        """Count an answered request."""
        cells = self._cells.get((name, version))
        if cells is None:  # looking up labels takes longer than the observation
            cells = self._latency.labels(name, version), self._rows.labels(name, version)
            self._cells[name, version] = cells
        cells[0].observe(seconds)
        cells[1].observe(rows)

    def text(self, slots: Sequence[Slot]) -> bytes:
        """All metrics in Prometheus' text format."""
        return "\n".join((*_lines(slots), "")).encode() + generate_latest(self._registry)


def _lines(slots: Sequence[Slot]) -> Iterator[str]:
    for name, text, value in _COUNTERS:
        yield from _metric(name, text, "counter", ((_labels(slot), value(slot)) for slot in slots))
    for stage in STAGES:
        values = ((_labels(slot), slot.stats.stages[stage].ns // 1000) for slot in slots)
        yield from _metric(f"nv_inference_{stage}_duration_us", f"Time in {stage}", "counter", values)
    failures = ((_labels(slot, reason=reason), slot.stats.failures[reason]) for slot in slots for reason in REASONS)
    yield from _metric("nv_inference_request_failure", "Requests not answered", "counter", failures)
    waiting = ((_labels(slot), slot.served.runner.waiting if slot.served else 0) for slot in slots)
    yield from _metric("nv_inference_pending_request_count", "Items in the queue now", "gauge", waiting)
    ready = ((_labels(slot), int(slot.is_ready)) for slot in slots)
    yield from _metric("lit_serve_model_ready", "Whether the model answers", "gauge", ready)
    yield from _batch_sizes(slots)


def _batch_sizes(slots: Sequence[Slot]) -> Iterator[str]:
    """The histogram of rows per run of the graph, from each model's exact statistics."""
    name = "lit_serve_batch_size"
    yield f"# HELP {name} Rows of one run of the graph"
    yield f"# TYPE {name} histogram"
    for slot in slots:
        with slot.stats.lock:
            runs = {rows: totals.compute_infer.count for rows, totals in slot.stats.batches.items()}
        for bound in _ROWS:
            below = sum(count for rows, count in runs.items() if rows <= bound)
            yield f"{name}_bucket{_labels(slot, le=str(bound))} {below}"
        yield f"{name}_bucket{_labels(slot, le='+Inf')} {sum(runs.values())}"
        yield f"{name}_sum{_labels(slot)} {sum(rows * count for rows, count in runs.items())}"
        yield f"{name}_count{_labels(slot)} {sum(runs.values())}"


def _metric(name: str, text: str, kind: str, samples: Iterator[tuple[str, float]]) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
    for labels, value in samples:
        yield f"{name}{labels} {value}"


def _labels(slot: Slot, **more: str) -> str:
    """Labels in Prometheus' format. Names and versions were checked on opening, so nothing needs escaping."""
    pairs = {"model": slot.name, "version": slot.version, **more}
    return "{" + ",".join(f'{key}="{value}"' for key, value in pairs.items()) + "}"
