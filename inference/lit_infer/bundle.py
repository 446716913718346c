"""Find a model, whatever names it: a bundle folder, a lone graph file, a reference, or nothing at all."""

import os
from dataclasses import dataclass
from pathlib import Path

from lit_infer import artifacts, files, manifest
from lit_infer.engines import ENGINES, OpenGraph, engine_for_file, suffixes
from lit_infer.errors import ArtifactError, MissingExtraError, NotFoundError
from lit_infer.manifest import Graph, Manifest


@dataclass(frozen=True)
class GraphFile:
    """A graph file of known format. `listed` is its entry in the bundle's manifest; None: a lone file."""

    path: Path
    manifest: Manifest | None
    listed: Graph | None

    def open(self, *, device: str, threads: int) -> tuple[OpenGraph, Manifest]:
        """Open the graph, from bytes that are those of the manifest, or of a file that describes itself."""
        if self.listed is not None and files.sha256(self.path) != self.listed.sha256:
            raise ArtifactError(f"{self.path} is not the file that its manifest describes: export or fetch it again")
        opened = engine_for_file(self.path).open_graph(self.path, device=device, threads=threads)
        if self.manifest is not None:
            return opened, self.manifest
        if opened.embedded is None:
            raise ArtifactError(f"{self.path} carries no lit-deploy manifest: make it with lit-export")
        return opened, manifest.decode(opened.embedded, where=str(self.path))


def find(model: str | os.PathLike[str]) -> list[GraphFile]:
    """The graph files that a bundle folder, a lone file or a reference offers; never an empty list."""
    path = Path(model)
    if path.is_dir():
        return _in_folder(path)
    if path.is_file():
        engine_for_file(path)
        return [GraphFile(path, manifest=None, listed=None)]
    if artifacts.looks_like_reference(str(model)):
        folder = artifacts.registry().fetch(artifacts.parse(str(model)))
        if not (folder / manifest.FILE_NAME).is_file():
            raise NotFoundError(
                f"{model} is not a bundle; a checkpoint is made one by: lit-export onnx --artifact {model}"
            )
        return _in_folder(folder)
    raise NotFoundError(
        f"no model at {model}: expected a bundle folder, a graph file ({suffixes()}) or entity/project/name:alias"
    )


def choose(graphs: list[GraphFile]) -> GraphFile:
    """The first graph that an installed engine can run, in the engines' order of preference."""
    for engine in ENGINES.values():
        for graph in graphs:
            if graph.path.suffix == engine.suffix and engine.is_installed():
                return graph
    wanted = engine_for_file(graphs[0].path)
    raise MissingExtraError(
        f'{graphs[0].path} needs {wanted.module}, which is not installed. Run: pip install "lit-deploy[{wanted.extra}]"'
    )


def default_model() -> str:
    """`$LIT_MODEL`, else the newest bundle below `artifacts/`."""
    if named := os.environ.get("LIT_MODEL"):
        return named
    root = artifacts.artifacts_root()
    manifests = [path for path in root.rglob(manifest.FILE_NAME) if _is_offered(path.relative_to(root))]
    if not manifests:
        raise NotFoundError(
            f"no model named and no bundle below {root}/. Give --model, set LIT_MODEL, or make one: "
            "lit-export onnx --artifact local/digits/digits-cnn:best"
        )
    return str(max(manifests, key=lambda path: path.stat().st_mtime_ns).parent)


def _is_offered(path: Path) -> bool:
    """Not the registry's copies, and not what is still being staged."""
    return path.parts[0] != "registry" and not any(part.startswith(".") for part in path.parts)


def _in_folder(folder: Path) -> list[GraphFile]:
    described = manifest.read(folder)
    graphs = [GraphFile(folder / (graph.file or ""), described, graph) for graph in described.ok_graphs()]
    if not graphs:
        failed = "; ".join(f"{graph.format}: {graph.reason}" for graph in described.graphs) or "it lists none"
        raise ArtifactError(f"{folder} holds no graph that passed its checks ({failed}). Export the model again")
    for graph in graphs:
        if graph.path.parent != folder or not graph.path.is_file():
            raise ArtifactError(f"{folder}: {graph.path.name} is missing. Export or fetch the bundle again")
    return graphs
