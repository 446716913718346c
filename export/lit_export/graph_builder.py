"""Where graphs are made: written to a scratch folder, compared with the eager module there, measured and judged.

Each is made once; those that others are made from (int8 from float32, OpenVINO from ONNX) are shared.
"""

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

from msgspec.structs import replace as changed

from lit_export import latency
from lit_export.bundle_folder import Key
from lit_export.formats import FORMATS, STANDARD, file_name
from lit_export.formats.job import WriteJob, Writer, Written
from lit_export.judge import Judge
from lit_export.loaded_state import LoadedState
from lit_export.options import Options
from lit_export.proof import parity
from lit_export.proof.branches import Branches
from lit_export.proof.samples import Sample
from lit_export.proof.sizes import DoubtedSizes
from lit_export.reasons import evidence_of, hint_of, reason_of
from lit_export.tasks import Target
from lit_infer import files, manifest, progress
from lit_infer.batching.sizes import BATCH
from lit_infer.bundle import GraphFile
from lit_infer.errors import GateError, UsageError
from lit_infer.hardware import DEFAULT_BATCH_SIZE
from lit_infer.manifest import Graph, Latency, Manifest, Precision
from lit_infer.predictor import Predictor, open_predictor
from lit_infer.proof_words import verdict

_SECONDS = 0.25
"""Spent on timing one graph: enough to tell formats apart, and no more of an export's time."""


@dataclass(frozen=True)
class GraphBuilder:
    """Makes graphs of one target."""

    target: Target
    described: Manifest
    options: Options
    folder: Path
    """The scratch folder. A graph that did not pass leaves no file in it."""
    expected: Sequence[Sample]
    judge: Judge
    branches: Branches | None = None
    """What the module decides in Python; None: not known."""
    loaded: LoadedState | None = None
    """The module before it was first called; None: not known."""
    _made: dict[Key, tuple[Graph, Written | None]] = field(default_factory=dict)

    def graph(self, name: manifest.FormatName, precision: Precision) -> Graph:
        """Make one graph, unless it is made already. A failed one has a reason instead of a file."""
        return self._graph(name, precision)[0]

    def deliver(self, graphs: Sequence[Graph], to: Path) -> None:
        """Move the files of proven graphs into a bundle's staging folder."""
        for graph in graphs:
            for name in (graph.file, *graph.companions):
                if name:
                    shutil.move(self.folder / name, to / name)

    def _graph(self, name: manifest.FormatName, precision: Precision) -> tuple[Graph, Written | None]:
        key = name, precision
        if key not in self._made:
            self._made[key] = self._make(name, precision)
        return self._made[key]

    def _make(self, name: manifest.FormatName, precision: Precision) -> tuple[Graph, Written | None]:
        plan = Graph(format=name, status="failed", precision=precision)
        path = self.folder / file_name(name, precision)
        reasons: list[str] = []
        evidence: list[str] = []  # not the errors, which would keep all that the exporter had in memory
        for writer, state in self._ways(name, precision):
            started = time.perf_counter()
            is_written = False
            try:
                with state:
                    written = self._written(writer, plan, path, reasons)
                is_written = True
                predictor = open_lone(written.path)
                graph = self._compared(plan, written, predictor)
            except UsageError:  # only the user can fix it, and it concerns every format
                raise
            except Exception as error:  # an exporter, and an engine on its file, may raise anything
                self._remove(path)
                evidence.append(evidence_of(error))
                # an engine that cannot run a graph for other inputs than the example's: a side of a branch is in it
                may_be = self._suspects() if is_written and not isinstance(error, GateError) else ""
                reasons.append(f"{writer.__name__.removeprefix('write_')}: {reason_of(error)}{may_be}")
                continue
            return self._judged(graph, written, predictor, seconds=time.perf_counter() - started)
        progress.note(f"{plan.label}: failed")
        reason, hint = _told_once(reasons), hint_of(evidence)
        return changed(plan, reason=f"{reason}. {hint}" if hint else reason), None

    def _ways(
        self, name: manifest.FormatName, precision: Precision
    ) -> Iterator[tuple[Writer, AbstractContextManager[None]]]:
        """The format's writers; each again with the module as it was loaded, if calls have left something in it."""
        for writer in FORMATS[name].writers_of(precision):
            yield writer, nullcontext()
            if self.loaded is not None and self.loaded.is_changed:
                yield writer, self.loaded.restored()

    def _written(self, writer: Writer, plan: Graph, path: Path, reasons: Sequence[str]) -> Written:
        progress.note(f"{plan.label}: write" + (f", another way ({reasons[-1]})" if reasons else ""))
        job = WriteJob(
            target=self.target,
            described=self.described,
            precision=plan.precision,
            options=self.options,
            onnx=self._onnx,
            quantize=self._quantize,
            frozen=self._frozen,
            doubts=self.branches.doubts if self.branches else tuple,
        )
        written = writer(job, path)
        if reasons:
            written = replace(written, exporter=f"{written.exporter} ({'; '.join(dict.fromkeys(reasons))})")
        return written

    def _onnx(self, precision: Precision) -> Written:
        graph, written = self._graph(STANDARD, precision)
        if written is None:
            raise GateError(f"it is made from {graph.label}, and that failed: {graph.reason}")
        return written

    def _frozen(self) -> str | None:
        """Why a graph that follows one run would not be the module, unless a person has taken that on."""
        return None if self.branches is None or self.options.accept_unexercised else self.branches.refusal()

    def _suspects(self) -> str:
        """Where forward decides on data, which a graph may have frozen."""
        return self.branches.suspects() if self.branches else ""

    def _quantize(self, fp32: Path, out: Path) -> manifest.Quantization:
        return self.judge.quantize(fp32, out, self.options.int8_keep, self.expected)

    def _compared(self, plan: Graph, written: Written, predictor: Predictor) -> Graph:
        """Compare the finished file, opened as a user would find it: alone, its manifest inside."""
        batches = ", ".join(map(str, dict.fromkeys(sample.rows for sample in self.expected)))
        progress.note(f"{plan.label}: compare with the eager module on batches of {batches}")
        measure = partial(
            parity.parity,
            predictor,
            precision=plan.precision,
            tolerance=self.judge.tolerance(plan.precision),
            own_error=lambda: self._eager_error,
        )
        expected = self.judge.samples(plan.precision, self.expected)
        try:
            measured = measure(expected)
        except GateError as error:
            raise GateError(f"{error}{self._suspects()}") from None
        if not self.options.accept_unexercised:
            self._sizes.add(written.doubts, self.branches.doubts() if self.branches else ())
            measured = self._sizes.compare(expected, measure) or measured
        return changed(
            plan,
            status="ok",
            file=written.path.name,
            sha256=files.sha256(written.path),
            bytes=sum(path.stat().st_size for path in (written.path, *written.companions)),
            companions={path.name: files.sha256(path) for path in written.companions},
            opset=written.opset,
            ir_version=written.ir_version,
            exporter=written.exporter,
            quantization=written.quantization,
            parity=measured,
        )

    @cached_property
    def _sizes(self) -> DoubtedSizes:
        return DoubtedSizes(self.target)

    @cached_property
    def _eager_error(self) -> list[float]:
        progress.note("compare the eager module with itself in float64")
        return parity.rounding_error(self.target, self.expected)

    def _judged(
        self, graph: Graph, written: Written, predictor: Predictor, *, seconds: float
    ) -> tuple[Graph, Written | None]:
        """Measure its score and its speed; one that does not pass leaves no file."""
        assert graph.parity is not None  # noqa: S101 - _compared measured it
        progress.note(f"{graph.label}: {verdict(self.described.proof, graph.parity)}, in {seconds:.1f} s")
        right = False
        try:
            scored = changed(graph, score=self.judge.score(predictor))
            right = True
            return changed(scored, latency=self._latency(graph, predictor)), written
        except GateError as error:
            progress.note(f"{graph.label}: failed")
            failed = Graph(format=graph.format, precision=graph.precision, status="failed", reason=str(error))
        if right:  # but too slow on its own engine; another format may be made from it
            return failed, written
        self._remove(written.path)
        return failed, None

    def _latency(self, graph: Graph, predictor: Predictor) -> Latency | None:
        """For int8, measured against float32 on the same engine: it stays only where it is the faster one here."""
        if graph.precision != "int8":
            return self._timed({graph.label: predictor}, seconds=_SECONDS).get(graph.label)
        fp32, _ = self._graph(graph.format, "fp32")
        if fp32.file is None:
            raise GateError(f"it cannot be measured against {fp32.label}, which failed: {fp32.reason}")
        found = self._timed({"fp32": open_lone(self.folder / fp32.file), "int8": predictor})
        if found and not (latency.earns(found["fp32"], found["int8"]) or self.options.keep_anyway):
            raise GateError(
                f"it is not faster here: {found['int8'].ms:.2f} ms an image, and float32 takes "
                f"{found['fp32'].ms:.2f} ms. --keep-anyway keeps it"
            )
        return found.get("int8")

    def _timed(self, graphs: Mapping[str, Predictor], *, seconds: float = latency.SECONDS) -> dict[str, Latency]:
        """On inputs that were compared: a graph may refuse others, such as words that it does not know."""
        sample = max(self.expected, key=lambda one: one.rows)
        named = dict(zip((tensor.name for tensor in self.target.inputs), sample.inputs, strict=True))
        inputs = None if self.target.takes_one_image else named  # noise is an image like any other
        is_batched = any(BATCH in tensor.shape for tensor in self.target.inputs)
        size = self.target.batch or (DEFAULT_BATCH_SIZE if is_batched else 1)
        try:
            return latency.compare(graphs, batch_size=size, seconds=seconds, inputs=inputs)
        except Exception as error:  # a graph that has been proven is not lost for it
            progress.note(f"{', '.join(graphs)}: not timed: {reason_of(error)}")
            return {}

    def _remove(self, path: Path) -> None:
        for leftover in self.folder.glob(f"{path.name.partition('.')[0]}*"):
            if leftover not in self._paths_in_use():
                leftover.unlink()

    def _paths_in_use(self) -> set[Path]:
        written = [written for _, written in self._made.values() if written]
        return {path for one in written for path in (one.path, *one.companions)}


def _told_once(reasons: Sequence[str]) -> str:
    """Reasons of the form `writer: why`; the writers are named where they failed for different ones."""
    different = dict.fromkeys(reasons)
    whys = dict.fromkeys(one.partition(": ")[2] for one in different)
    return "; ".join(different if len(whys) > 1 else whys)


def open_lone(path: Path) -> Predictor:
    """A graph file of our own making by itself, on the CPU; native code too, since we compiled it."""
    return open_predictor(
        GraphFile(path, manifest=None, listed=None, allow_native_code=True), device="cpu", tiles=False
    )
