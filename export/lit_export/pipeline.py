"""The story of `lit-export`: checkpoint -> module -> graphs -> verified bundle -> published."""

import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lit_export import formats, verify
from lit_export.checkpoint import Checkpoint, open_checkpoint
from lit_export.module import deployable, load_module
from lit_export.spec import read_spec
from lit_infer import artifacts, files, manifest
from lit_infer.bundle import GraphFile
from lit_infer.engines import ENGINES
from lit_infer.errors import LitError, UsageError
from lit_infer.manifest import DeploymentFacts, Format, Graph, MadeWith, Manifest, Source, Tensor
from lit_infer.predictor import open_predictor

GOLDEN = "golden.npz"
Stage = Callable[[str], None]


@dataclass(frozen=True)
class Bundle:
    """What an export made. `folder` is None where not one graph passed its checks."""

    folder: Path | None
    manifest: Manifest
    attempted: tuple[Graph, ...]
    """The graphs of this export; the bundle may hold others from an earlier one."""
    reference: artifacts.Reference | None
    """Where it was published; None for a checkpoint that came from a path."""

    @property
    def failed(self) -> tuple[Graph, ...]:
        """The graphs that did not pass."""
        return tuple(graph for graph in self.attempted if graph.status == "failed")


def export(  # noqa: PLR0913 - these are the choices there are
    *,
    artifact: str | None = None,
    checkpoint: Path | None = None,
    to: Sequence[Format] = ("onnx", "torchscript"),
    class_path: str | None = None,
    spec: Path | None = None,
    out: Path | None = None,
    command: str = "lit_export.export()",
    stage: Stage = lambda _: None,
) -> Bundle:
    """Export a checkpoint, named by a reference or a path, into a bundle whose graphs are proven right.

    Every graph is written to a staging folder and compared there, through the runtime's own predictor, with the
    eager module; only what passes gets its final name. The bundle goes to `out`, else below `artifacts/bundles/`;
    graphs that it already holds of the same checkpoint stay. `stage` is told what is being done.
    """
    stage("load the checkpoint")
    source = open_checkpoint(artifact=artifact, checkpoint=checkpoint)
    facts = _facts(source, spec)
    module = load_module(source, class_path=class_path)
    folder = out or artifacts.artifacts_root() / "bundles" / source.folder_name
    before = _existing(folder, source)

    graph_module = deployable(module, facts)
    stage("ask the eager module for the answers")
    expected = verify.samples(graph_module, (*facts.height_width, facts.channels))
    described = _describe(source, facts, type(module), expected[0], command)
    kept = _kept(before, described, to)
    with files.staging_folder(folder.absolute().parent) as staged:
        graphs = tuple(_graph(name, graph_module, expected, described, staged, stage) for name in to)
        complete = _complete(described, (*graphs, *kept))
        reference = None
        if complete.ok_graphs():
            _write_golden(staged / GOLDEN, expected)
            _move(staged, folder, complete)
        if any(graph.status == "ok" for graph in graphs):
            reference = _publish(source, folder, complete, stage)
    return Bundle(folder if complete.ok_graphs() else None, complete, graphs, reference)


def _facts(source: Checkpoint, spec: Path | None) -> DeploymentFacts:
    if spec is not None:
        return read_spec(spec)
    if source.record is not None:
        return source.record.deployment
    raise UsageError(
        f"{source.path} does not say how it wants to be deployed. Give --spec FILE (docs/export.md shows one), "
        "or train with lit_trainer.callbacks.DeploymentFacts"
    )


def _existing(folder: Path, source: Checkpoint) -> Manifest | None:
    """The manifest of an earlier export of the same checkpoint into the same folder."""
    if not folder.exists():
        return None
    if not (folder / manifest.FILE_NAME).is_file():
        if not folder.is_dir() or any(folder.iterdir()):
            raise UsageError(f"{folder} is not a bundle and not an empty folder; name another with --out")
        return None
    found = manifest.read(folder)
    if found.source.digest != source.digest:
        raise UsageError(
            f"{folder} holds {found.identity()}, another checkpoint than {source.name}@{source.digest[:12]}. "
            "Name another folder with --out, or remove this one"
        )
    return found


def _kept(before: Manifest | None, described: Manifest, to: Sequence[Format]) -> tuple[Graph, ...]:
    """The earlier graphs that stay. They embed their facts, so these must be the facts of this export too."""
    kept = tuple(graph for graph in before.graphs if graph.format not in to) if before else ()
    if before is None or not any(graph.status == "ok" for graph in kept):
        return kept
    facts = ("task", "inputs", "preprocess", "normalize", "outputs", "labels")
    different = [name for name in facts if getattr(before, name) != getattr(described, name)]
    if different:
        formats_kept = ", ".join(graph.format for graph in kept)
        raise UsageError(
            f"the bundle's {formats_kept} was exported with other {', '.join(different)}. "
            "Export all formats anew (lit-export all), or name another folder with --out"
        )
    return kept


def _describe(source: Checkpoint, facts: DeploymentFacts, cls: type, sample: verify.Sample, command: str) -> Manifest:
    """The manifest before any graph: what all of them embed."""
    record = source.record
    packages = ("torch", "lightning", "onnx", "onnxruntime", "lit-deploy")
    classes = sample.answers.shape[1]
    if facts.labels is not None and len(facts.labels) != classes:
        raise UsageError(f"{len(facts.labels)} labels are given and the model has {classes} classes")
    return Manifest(
        name=source.name,
        task=facts.task,
        source=Source(
            digest=source.digest,
            class_path=f"{cls.__module__}.{cls.__qualname__}",
            reference=str(source.reference) if source.reference else None,
            run=record.run if record else None,
            git_commit=record.git_commit if record else None,
            score=source.score,
        ),
        inputs=(Tensor(name=formats.INPUT, dtype="uint8", shape=(formats.BATCH, *sample.images.shape[1:])),),
        preprocess=facts.preprocess,
        normalize=facts.normalize,
        outputs=(Tensor(name=formats.OUTPUT, dtype="float32", shape=(formats.BATCH, classes)),),
        labels=facts.labels,
        made_with=MadeWith(
            versions={"python": platform.python_version(), **{name: version(name) for name in packages}},
            command=command,
        ),
    )


def _graph(
    name: Format,
    module: nn.Module,
    expected: list[verify.Sample],
    described: Manifest,
    staged: Path,
    stage: Stage,
) -> Graph:
    """Write one graph and prove it; a failed one leaves no file, and its reason in the manifest."""
    started = time.perf_counter()
    try:
        stage(f"{name}: write")
        written = formats.write(name, module, torch.from_numpy(expected[1].images), described, staged)
        stage(f"{name}: compare with the eager module on batches of {', '.join(map(str, verify.BATCHES))}")
        lone = GraphFile(written.path, manifest=None, listed=None)  # as a user would find the file, manifest embedded
        measured = verify.parity(open_predictor(lone, device="cpu"), expected)
    except Exception as error:
        formats.file(name, staged).unlink(missing_ok=True)
        reason = _reason(error)
        stage(f"{name}: failed")
        return Graph(format=name, status="failed", reason=reason)
    stage(f"{name}: proven, max difference {measured.max_abs:.1e}, in {time.perf_counter() - started:.1f} s")
    return Graph(
        format=name,
        status="ok",
        file=written.path.name,
        sha256=files.sha256(written.path),
        bytes=written.path.stat().st_size,
        opset=written.opset,
        ir_version=written.ir_version,
        exporter=written.exporter,
        parity=measured,
    )


def _reason(error: Exception) -> str:
    """Why a graph failed. An exporter may raise anything for a module it cannot handle; one line names it."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return first if isinstance(error, LitError) else f"{type(error).__name__}: {first}"


def _complete(described: Manifest, graphs: tuple[Graph, ...]) -> Manifest:
    order = {name: place for place, name in enumerate(ENGINES)}
    return described.completed(
        graphs=tuple(sorted(graphs, key=lambda graph: order[graph.format])),
        golden=GOLDEN,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _write_golden(path: Path, expected: list[verify.Sample]) -> None:
    """The largest sample and the eager answers for it: what a target host can check itself against."""
    sample = max(expected, key=lambda sample: len(sample.images))
    np.savez_compressed(path, images=sample.images, probabilities=sample.answers)


def _move(staged: Path, folder: Path, complete: Manifest) -> None:
    """Give the staged files their final names, the manifest last: it alone says what belongs to the bundle."""
    files.sync_tree(staged)
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(staged.iterdir()):
        os.replace(path, folder / path.name)
    for graph in complete.graphs:
        if graph.status == "failed":
            formats.file(graph.format, folder).unlink(missing_ok=True)
    with files.atomic_text(folder / manifest.FILE_NAME) as file:
        file.write(manifest.encode(complete).decode())


def _publish(source: Checkpoint, folder: Path, complete: Manifest, stage: Stage) -> artifacts.Reference | None:
    """Log the bundle beside its checkpoint, as `<name>-export`, with the checkpoint as its parent."""
    if source.reference is None:
        return None
    stage("publish")
    to = artifacts.Reference(source.reference.entity, source.reference.project, f"{source.name}-export", "latest")
    score = complete.source.score
    metadata = {
        "formats": [graph.format for graph in complete.ok_graphs()],
        "source_digest": source.digest,
        "score": score.value if score else None,
    }
    published = artifacts.registry().publish(
        folder, to, type="model", metadata=metadata, parents=[str(source.reference)]
    )
    return published.reference
