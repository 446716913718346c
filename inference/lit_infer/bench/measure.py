"""Measure latency honestly: warm up first, then take turns, so that a noisy machine hurts all alike."""

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from lit_infer import bundle
from lit_infer.engines import engine_for_file
from lit_infer.errors import UsageError
from lit_infer.hardware import cpu_model, usable_cpus
from lit_infer.predictor import Predictor, open_predictor

ROUNDS = 10


@dataclass(frozen=True)
class Subject:
    """What is measured: one graph file, open."""

    format: str
    predictor: Predictor


@dataclass(frozen=True)
class Row:
    """Latency of one call of the graph, on prepared input, and what it makes per second."""

    format: str
    engine: str
    device: str
    batch_size: int
    calls: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    mean_ms: float
    images_per_s: float
    """Batch size over the median latency."""


def open_subjects(model: str, *, device: str) -> tuple[list[Subject], list[str]]:
    """Every graph of a model that an installed engine can run, and a line for each that none can."""
    graphs = bundle.find(model)
    bundle.choose(graphs)  # raises, with the fix, where not one of them can be run
    subjects, left_out = [], []
    for graph in graphs:
        engine = engine_for_file(graph.path)
        if engine.is_installed():
            subjects.append(Subject(engine.format, open_predictor(graph, device=device)))
        else:
            fix = f'pip install "lit-deploy[{engine.extra}]"'
            left_out.append(f"{graph.path.name} is left out: {engine.module} is not installed ({fix})")
    return subjects, left_out


def measure(
    subjects: Sequence[Subject],
    batch_sizes: Sequence[int],
    *,
    seconds: float,
    advance: Callable[[], None] = lambda: None,
) -> list[Row]:
    """Time each subject at each batch size for about `seconds` each, in interleaved rounds."""
    cells = [_Cell(subject, size) for size in batch_sizes for subject in subjects]
    for cell in cells:
        cell.call()
        cell.call()  # the first call allocates, and TorchScript compiles in the second
    for _ in range(ROUNDS):
        for cell in cells:
            cell.call_for(seconds / ROUNDS)
            advance()
    return [cell.row() for cell in cells]


def best(rows: Sequence[Row]) -> dict[str, Row]:
    """For each format, the batch size that makes the most images per second."""
    found: dict[str, Row] = {}
    for row in rows:
        if row.format not in found or row.images_per_s > found[row.format].images_per_s:
            found[row.format] = row
    return found


def environment() -> dict[str, Any]:
    """What a figure means nothing without."""
    return {
        "cpu": cpu_model(),
        "cores": usable_cpus(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: found for name in ("lit-deploy", "onnxruntime", "torch", "numpy") if (found := _version(name))},
    }


class _Cell:
    """One subject at one batch size, with the times of its calls in seconds."""

    def __init__(self, subject: Subject, batch_size: int) -> None:
        self.subject = subject
        self.batch_size = batch_size
        self.times: list[float] = []
        generator = np.random.default_rng(0)
        self._inputs = {}
        for tensor in subject.predictor.manifest.inputs:
            fixed = [side for side in tensor.shape[1:] if isinstance(side, int)]
            if len(fixed) != len(tensor.shape) - 1:
                raise UsageError(f"cannot measure: input {tensor.name} has dynamic sides {list(tensor.shape)}")
            self._inputs[tensor.name] = generator.integers(0, 256, (batch_size, *fixed)).astype(tensor.dtype)

    def call(self) -> None:
        self.subject.predictor.run(self._inputs)

    def call_for(self, seconds: float) -> None:
        end = time.perf_counter() + seconds
        while (before := time.perf_counter()) < end:
            self.call()
            self.times.append(time.perf_counter() - before)

    def row(self) -> Row:
        p50, p90, p99 = (float(value) * 1e3 for value in np.percentile(self.times, (50, 90, 99)))
        return Row(
            format=self.subject.format,
            engine=self.subject.predictor.engine,
            device=self.subject.predictor.device,
            batch_size=self.batch_size,
            calls=len(self.times),
            p50_ms=p50,
            p90_ms=p90,
            p99_ms=p99,
            mean_ms=float(np.mean(self.times)) * 1e3,
            images_per_s=self.batch_size / p50 * 1e3,
        )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
