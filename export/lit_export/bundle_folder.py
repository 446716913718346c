"""The bundle's folder: what is in it already, what stays, and how graphs and manifest get their final names."""

import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_export.card import card
from lit_export.options import Options
from lit_infer import artifacts, files, manifest, progress, same_facts
from lit_infer.engines import ENGINES
from lit_infer.errors import UsageError
from lit_infer.manifest import Graph, Manifest

Key = tuple[manifest.FormatName, manifest.Precision]

GOLDEN = "golden.npz"
PIXELS = "pixels.npz"
CARD = "report.md"


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


def default_folder(described: Manifest) -> Path:
    """Below `artifacts/bundles/`: the name, and the version or digest that tells it from others of that name."""
    source = described.source
    version = artifacts.parse(source.reference).alias if source.reference else source.digest[:12]
    return artifacts.artifacts_root() / "bundles" / f"{described.name}-{version}"


def graphs_that_stay(folder: Path, described: Manifest, made: Sequence[Key]) -> tuple[Graph, ...]:
    """The graphs of an earlier export into the same folder that stay when `made` are made again.

    Raises UsageError where the folder holds something else: no bundle, another checkpoint, or a bundle with other
    facts, also if none of its graphs would stay: others may rely on it.
    """
    before = _existing(folder, described)
    if before is None:
        return ()
    if different := same_facts.differences(before, described):
        raise UsageError(
            f"{folder} holds {before.identity()} with different {', '.join(different)}. "
            "Name another folder with --out, or remove this one"
        )
    return tuple(graph for graph in before.graphs if (graph.format, graph.precision) not in made)


def _existing(folder: Path, described: Manifest) -> Manifest | None:
    if not folder.exists():
        return None
    if not (folder / manifest.FILE_NAME).is_file():
        if not folder.is_dir() or any(folder.iterdir()):
            raise UsageError(f"{folder} is neither a bundle nor an empty folder. Name another with --out")
        return None
    found = manifest.read(folder)
    if found.source.digest != described.source.digest:
        raise UsageError(
            f"{folder} holds {found.identity()}, another checkpoint than {described.identity()}. "
            "Name another folder with --out, or remove this one"
        )
    return found


def finish(
    folder: Path,
    described: Manifest,
    made: Sequence[Graph],
    *,
    staged: Sequence[Path],
    options: Options,
) -> Bundle:
    """Give proven graphs, which lie in the staged folders, their final names, write the manifest, and publish."""
    stay = graphs_that_stay(folder, described, [(graph.format, graph.precision) for graph in made])
    found = [*staged, folder]
    complete = _completed(described, (*made, *stay), golden=_digest(GOLDEN, found), pixels=_digest(PIXELS, found))
    if not complete.ok_graphs():
        return Bundle(None, complete, tuple(made), None)
    _move(staged, folder, complete)
    reference = None
    source = described.source.reference
    if source and options.publish and any(graph.status == "ok" for graph in made):
        at = artifacts.parse(source)
        progress.note("publish")
        reference = _publish(folder, complete, at)
    return Bundle(folder, complete, tuple(made), reference)


def write_golden(staged: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """A few inputs and the eager answers for them, by tensor name: what a target host can check itself against."""
    _write_arrays(staged / GOLDEN, arrays)


def write_pixels(staged: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """A few images and what was prepared of them: what a target host can check its decoders against."""
    _write_arrays(staged / PIXELS, arrays)


def _write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():  # np.savez takes no array that is called "file"
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.ascontiguousarray(array), allow_pickle=False)


def _digest(name: str, folders: Sequence[Path]) -> str | None:
    """The digest of a file, from the first folder that has it."""
    return next((files.sha256(folder / name) for folder in folders if (folder / name).is_file()), None)


def _completed(described: Manifest, graphs: Sequence[Graph], *, golden: str | None, pixels: str | None) -> Manifest:
    """The manifest with its graphs, in the engines' order of preference."""
    formats = list(ENGINES)
    precisions = ("fp32", "fp16", "bf16", "int8")
    ordered = sorted(graphs, key=lambda graph: (formats.index(graph.format), precisions.index(graph.precision)))
    date = datetime.now(UTC).isoformat(timespec="seconds")
    return described.completed(
        graphs=tuple(ordered),
        golden=GOLDEN if golden else None,
        golden_sha256=golden,
        pixels=PIXELS if pixels else None,
        pixels_sha256=pixels,
        date=date,
    )


def _move(staged: Sequence[Path], folder: Path, complete: Manifest) -> None:
    """Give the staged files their final names, the manifest last: it alone says what belongs to the bundle."""
    folder.mkdir(parents=True, exist_ok=True)
    for stage in reversed([stage for stage in staged if stage.is_dir()]):  # of several golden files, the first stays
        files.sync_tree(stage)
        for name in (*_graph_files(complete), GOLDEN, PIXELS, manifest.TOKENIZER):
            if (stage / name).is_file():
                os.replace(stage / name, folder / name)
    with files.atomic_text(folder / manifest.FILE_NAME) as file:
        file.write(manifest.encode(complete).decode())
    with files.atomic_text(folder / CARD) as file:
        file.write(card(complete))
    for path in folder.glob("model.*"):  # of an earlier export, and not replaced; a signature no longer matches
        if path.name not in _graph_files(complete):
            path.unlink()


def _graph_files(complete: Manifest) -> list[str]:
    return [name for graph in complete.ok_graphs() for name in (graph.file, *graph.companions) if name]


def _publish(folder: Path, complete: Manifest, source: artifacts.Reference) -> artifacts.Reference:
    """Publish the bundle next to its checkpoint, as `<name>-export`, with the checkpoint as its parent."""
    to = artifacts.Reference(source.entity, source.project, f"{source.name}-export", "latest")
    graphs = complete.ok_graphs()
    score = complete.source.score
    metadata = {
        "formats": sorted({graph.format for graph in graphs}),
        "precisions": sorted({graph.precision for graph in graphs}),
        "opset": next((graph.opset for graph in graphs if graph.opset), None),
        "parity_max_abs": max(graph.parity.max_abs for graph in graphs if graph.parity),
        "source": str(source),
        "source_digest": complete.source.digest,
        "score": {"monitor": score.monitor, "mode": score.mode, "value": score.value} if score else None,
    }
    published = artifacts.registry(to).publish(folder, to, type="model", metadata=metadata, parents=[str(source)])
    return published.reference
