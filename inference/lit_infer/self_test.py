"""Does this bundle work on this host? Every graph that runs here must answer `golden.npz` as the module did at export.

`self_test(bundle)` is the story: golden arrays in, each graph opened and run, its answers compared with the eager
module's within the tolerances under which the graph was proven.
"""

import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from rich.markup import escape
from rich.table import Table

from lit_infer import bundle, npz, pixel_test, proof
from lit_infer.bundle import GraphFile
from lit_infer.engines import ENGINES, check_device, engine_for_file
from lit_infer.errors import ArtifactError, EngineError, LitError, UsageError
from lit_infer.graph_source import held
from lit_infer.manifest import Graph, Manifest
from lit_infer.pixel_test import PixelTest
from lit_infer.predictor import open_predictor
from lit_infer.proof_words import HARDLY_VARY
from lit_infer.tensors import NamedArrays

_MOST_GOLDEN_BYTES, _LEAST_GOLDEN_BYTES, _GOLDEN_ROWS = 2_000_000_000, 64_000_000, 64


@dataclass(frozen=True)
class GraphTest:
    """The outcome for one graph of the bundle."""

    graph: str
    """Its label: `onnx`, `onnx int8`."""
    file: str
    status: Literal["ok", "failed", "skipped"]
    reason: str = ""
    """Why it failed, or why it was skipped."""
    engine: str = ""
    device: str = ""
    max_abs: float | None = None
    """Largest difference of any answer from the eager module's."""
    max_rel: float | None = None
    agreement: float | None = None
    """Share of inputs, 0 to 1, with the same answer, as the task defines it; None for a task that does not."""
    seconds: float = 0.0
    """Time to open the graph and run it."""


@dataclass(frozen=True)
class SelfTest:
    """What a self-test found."""

    model: str
    """Name and digest of the model."""
    graphs: tuple[GraphTest, ...]
    pixels: PixelTest | None = None
    """What became of the stored images; None for a bundle without any."""
    varies: bool = True
    """False where the module's outputs hardly vary: that a graph answers as at export then shows little."""

    @property
    def ok(self) -> bool:
        """Whether at least one graph was tested and none failed."""
        statuses = {graph.status for graph in self.graphs}
        is_prepared = self.pixels is None or not self.pixels.reason
        return "ok" in statuses and "failed" not in statuses and is_prepared


def self_test(model: str | os.PathLike[str], *, device: str = "auto", engine: str | None = None) -> SelfTest:
    """Test every graph of a bundle (a folder or a reference) that an installed engine can run on the device.

    `engine` tests the graphs of one format only, which must then run. Raises UsageError for a lone graph file, which
    has no golden answers, and ArtifactError where `golden.npz` is missing or does not belong to this bundle.
    """
    check_device(device)
    if engine is not None and engine not in ENGINES:
        raise UsageError(f"engine {engine!r} is not known; use {', '.join(ENGINES)}")
    graphs = bundle.find(model)
    described = graphs[0].manifest
    if described is None:
        raise UsageError(f"{model} is a lone graph file; a self-test needs its bundle, with golden.npz")
    inputs, answers = golden(graphs[0].path.parent, described)
    wanted = [graph for graph in graphs if engine in (None, engine_for_file(graph.path).format)]
    if not wanted:
        raise UsageError(f"{model} has no {engine} graph; it has {', '.join(graph.path.name for graph in graphs)}")
    tested = tuple(_test(graph, inputs, answers, device=device, named=engine is not None) for graph in wanted)
    return SelfTest(
        described.identity(),
        tested,
        pixels=pixel_test.tested(graphs[0].path.parent, described),
        varies=described.proof is None or described.proof.varies,
    )


def table(result: SelfTest) -> Table:
    """One row per graph. Pure: nothing here prints."""
    shown = Table("graph", "status", "engine", "device", box=None, pad_edge=False)
    for name in ("max diff", "agreement", "seconds"):
        shown.add_column(name, justify="right")
    colours = {"ok": "green", "failed": "red", "skipped": "yellow"}
    for one in result.graphs:
        difference = "" if one.max_abs is None else f"{one.max_abs:.1e}"
        agreement = "" if one.agreement is None else f"{one.agreement:.0%}"
        status = f"[{colours[one.status]}]{one.status}[/]"
        seconds = f"{one.seconds:.2f}" if one.engine else ""
        shown.add_row(one.graph, status, escape(one.engine), one.device, difference, agreement, seconds)
    return shown


def lines(result: SelfTest) -> list[str]:
    """Why graphs failed or were skipped, and the verdict."""
    counts = {status: sum(one.status == status for one in result.graphs) for status in ("ok", "failed", "skipped")}
    reasons = [f"{one.graph} {one.status}: {one.reason}" for one in result.graphs if one.reason]
    if result.pixels is not None:
        reasons.append(result.pixels.said)
    found = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    verdict = "answers as it did at export" if result.ok else "should not be used here"
    still = "" if result.varies else f" ({HARDLY_VARY}, so this shows little)"
    return [*reasons, f"{result.model} {verdict}: {found}{still}"]


def _test(graph: GraphFile, inputs: NamedArrays, answers: NamedArrays, *, device: str, named: bool) -> GraphTest:
    """One graph: opened, run on the golden inputs, compared. Only a graph that was asked for by name must run here."""
    engine, started = engine_for_file(graph.path), time.perf_counter()
    label = graph.listed.label if graph.listed else engine.format

    def without(status: Literal["failed", "skipped"], reason: str) -> GraphTest:
        return GraphTest(label, graph.path.name, "failed" if named else status, reason)

    if not engine.is_installed():
        return without("skipped", f'it needs {engine.module}. Run: pip install "lit-deploy[{engine.extra}]"')
    if engine.is_cpu_only and device.startswith("cuda"):
        return without("skipped", f"{engine.module} runs on the CPU, not on {device}")
    try:
        with open_predictor(graph, device=device) as predictor:
            found = predictor.run(inputs)
        manifest = predictor.manifest
        found = manifest.spec.named_in_order_of(found, answers)
        by_name = {name: _compare(found[name], truth, graph.listed, manifest) for name, truth in answers.items()}
        measured = list(by_name.values())
    except LitError as error:
        # A graph compiled for another host does not run here, which is not a fault of the bundle.
        is_elsewhere = engine.is_for_one_host and not isinstance(error, ArtifactError)
        return without("skipped" if is_elsewhere else "failed", str(error))
    except Exception as error:  # an engine that cannot run the graph it opened may raise anything
        return without("failed", f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}")
    worst = max(measured, key=lambda one: one.max_abs)
    reason = next((one.reason for one in measured if one.reason), "")
    return GraphTest(
        graph=label,
        file=graph.path.name,
        status="failed" if reason else "ok",
        reason=reason,
        engine=predictor.engine,
        device=predictor.device,
        max_abs=worst.max_abs,
        max_rel=max(one.max_rel for one in measured),
        agreement=by_name[manifest.outputs[0].name].agreement,
        seconds=time.perf_counter() - started,
    )


@dataclass(frozen=True)
class _Measured:
    """How far one output is from the eager module's; `reason` if that is too far."""

    max_abs: float
    max_rel: float
    agreement: float | None
    reason: str


def _compare(found: NDArray[Any], truth: NDArray[Any], listed: Graph | None, manifest: Manifest) -> _Measured:
    """Measure one output by the tolerances of the proof at export; atol is relative to the largest answer."""
    parity = listed.parity if listed else None
    if listed is None or parity is None:
        raise EngineError("the manifest does not record its difference from the eager module. Export it again")
    if found.shape != truth.shape:
        raise EngineError(f"its answer has shape {list(found.shape)}, the eager module's {list(truth.shape)}")
    if not np.isfinite(found.astype(np.float64)).all():
        raise EngineError("it answers NaN or infinity")
    measured = proof.difference(found, truth, atol=parity.atol)
    allowed = proof.allowed(listed, parity, measured)
    reason = (
        f"it differs from the eager module by up to {measured.max_abs:.2g}, at export by up to {parity.max_abs:.2g}; "
        f"the limit is {float(allowed.max(initial=0)):.2g}"
    )
    return _Measured(
        max_abs=measured.max_abs,
        max_rel=measured.max_rel,
        agreement=proof.agreement(found, truth, manifest),
        reason=reason if (measured.values > allowed).any() else "",
    )


def golden(folder: Path, described: Manifest) -> tuple[NamedArrays, NamedArrays]:
    """The golden inputs and answers by name, each of the shape and dtype that the manifest gives."""
    if described.golden is None:
        raise ArtifactError(f"{folder} has no golden answers to test against. Export the model again")
    path = folder / Path(described.golden).name
    arrays = npz.checked(held(path), sha256=described.golden_sha256, limit=golden_limit(described))
    tensors = (*described.inputs, *described.outputs)
    if set(arrays) != {tensor.name for tensor in tensors}:
        expected = ", ".join(tensor.name for tensor in tensors)
        raise ArtifactError(f"{path} holds {', '.join(sorted(arrays))}, its manifest has {expected}. Export it again")
    sides: dict[str, int] = {}
    for tensor in tensors:
        array = arrays[tensor.name]
        if array.dtype != tensor.dtype or not proof.fits(array.shape, tensor.shape, sides):
            raise ArtifactError(
                f"{path}: {tensor.name} is {array.dtype} {list(array.shape)}, its manifest has "
                f"{tensor.dtype} {list(tensor.shape)}. Export it again"
            )
    inputs = {tensor.name: arrays[tensor.name] for tensor in described.inputs}
    return inputs, {tensor.name: arrays[tensor.name] for tensor in described.outputs}


def golden_limit(described: Manifest) -> int:
    """The bytes that golden arrays may take: some rows of what the manifest describes, open sides taken as one."""
    tensors = (*described.inputs, *described.outputs)
    row = sum(
        math.prod(side for side in tensor.shape if isinstance(side, int)) * np.dtype(tensor.dtype).itemsize
        for tensor in tensors
    )
    return min(_MOST_GOLDEN_BYTES, max(_LEAST_GOLDEN_BYTES, _GOLDEN_ROWS * row))
