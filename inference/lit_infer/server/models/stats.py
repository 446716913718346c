"""The statistics of one served model: the numbers behind `/stats` and `/metrics`."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

Reason = Literal["REJECTED", "CANCELED", "BACKEND", "OTHER"]
"""Why a request failed, in Triton's terms: queue full or deadline passed, client gone, engine, anything else."""

REASONS: tuple[Reason, ...] = ("REJECTED", "CANCELED", "BACKEND", "OTHER")


@dataclass
class Total:
    """How often something happened, and for how many nanoseconds in total."""

    count: int = 0
    ns: int = 0

    def add(self, seconds: float, count: int = 1) -> None:
        """Add to both."""
        self.count += count
        self.ns += int(seconds * 1e9)


@dataclass(frozen=True, slots=True)
class Spent:
    """The seconds that one request spent in each stage."""

    queue: float
    compute_input: float
    compute_infer: float
    compute_output: float
    total: float


@dataclass
class BatchTotals:
    """The runs of one batch size."""

    compute_input: Total = field(default_factory=Total)
    compute_infer: Total = field(default_factory=Total)
    compute_output: Total = field(default_factory=Total)


STAGES = ("queue", "compute_input", "compute_infer", "compute_output")


class Stats:
    """Counters that any thread may update."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.success = Total()
        self.failures: Counter[Reason] = Counter()
        self.fail = Total()
        self.stages = {stage: Total() for stage in STAGES}
        self.inferences = 0
        self.executions = 0
        self.batches: dict[int, BatchTotals] = {}
        self.last_inference_ms = 0

    def succeeded(self, rows: int, spent: Spent) -> None:
        """Count an answered request."""
        with self.lock:
            self.success.add(spent.total)
            self.inferences += rows
            for stage, total in self.stages.items():
                total.add(getattr(spent, stage))
            self.last_inference_ms = int(time.time() * 1000)

    def failed(self, reason: Reason, seconds: float) -> None:
        """Count a failed request."""
        with self.lock:
            self.failures[reason] += 1
            self.fail.add(seconds)

    def ran(self, rows: int, *, compute_input: float, compute_infer: float) -> None:
        """Count a run of the graph."""
        with self.lock:
            self.executions += 1
            totals = self.batches.setdefault(rows, BatchTotals())
            totals.compute_input.add(compute_input)
            totals.compute_infer.add(compute_infer)
            totals.compute_output.add(0)
