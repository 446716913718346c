"""From the name of a model to an open graph: which file, which engine and provider, how many threads."""

import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lit_infer import bundle, settings
from lit_infer.engines import FROM_BYTES, OpenGraph, check_device
from lit_infer.errors import UsageError
from lit_infer.hardware import DEFAULT_BATCH_SIZE, DEFAULT_ROWS, DEFAULT_TABLE_ROWS, usable_cpus
from lit_infer.manifest import Manifest


@dataclass(frozen=True)
class Opened:
    """An open graph, and the best settings for it."""

    graph: OpenGraph
    manifest: Manifest
    threads: int
    batch_size: int
    path: Path | None
    """The graph's file; None for a graph from bytes."""


def choose(
    model: str | os.PathLike[str], *, device: str, engine: str, precision: str
) -> tuple[bundle.GraphFile, settings.TunedSettings]:
    """The graph that is to run: as asked for, else as `lit-bench tune` found, else as `bundle.choose` prefers.

    The second value has the tuned batch size and threads.
    """
    check_device(device)
    graphs = bundle.find(model)
    tuned = settings.read(graphs[0].manifest) if graphs[0].manifest is not None else settings.NONE
    if engine == "auto" and precision.startswith("auto") and device in ("auto", "cpu"):
        found = {"engine": tuned.engine or "auto", "precision": tuned.precision or precision}
        is_allowed = tuned.precision is None or tuned.precision in bundle.precisions(precision)
        if is_allowed and bundle.offers(graphs, **found):  # else the model was exported again after tuning
            return bundle.choose(graphs, **found), tuned
    return bundle.choose(graphs, engine=engine, precision=precision), tuned


def open_file(graph_file: bundle.GraphFile, *, device: str, threads: int | None, batch_size: int | None) -> Opened:
    """Open one particular graph file."""
    cores = checked_threads(threads)
    graph, manifest = graph_file.open(device=check_device(device), threads=cores)
    return Opened(graph, manifest, cores, batch_size or default_batch(manifest), graph_file.path)


def open_bytes(data: bytes, *, device: str, threads: int | None, batch_size: int | None) -> Opened:
    """Open an ONNX graph from its bytes."""
    cores = checked_threads(threads)
    graph = FROM_BYTES.open_graph(data, device=check_device(device), threads=cores)
    manifest = bundle.embedded_manifest(graph, where="the graph")
    return Opened(graph, manifest, cores, batch_size or default_batch(manifest), None)


_SMALL = 2**16
"""Bytes up to which a row is small."""


def default_batch(manifest: Manifest) -> int:
    """Images, or rows, of a run where nobody says how many."""
    if manifest.spec.takes_images:
        return DEFAULT_BATCH_SIZE
    sizes = (
        math.prod(side for side in tensor.shape[1:] if isinstance(side, int)) * np.dtype(tensor.dtype).itemsize
        for tensor in manifest.inputs
    )
    if sum(sizes) > _SMALL:
        return DEFAULT_BATCH_SIZE
    return DEFAULT_TABLE_ROWS if manifest.spec.has_columns else DEFAULT_ROWS


def checked_threads(threads: int | None) -> int:
    """The threads asked for, or all that this process may use."""
    if threads is not None and threads < 1:
        raise UsageError(f"threads must be at least 1, not {threads}")
    return threads or usable_cpus()
