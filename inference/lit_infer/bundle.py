"""Find a model, whatever names it: a bundle folder, a lone graph file, a reference, or nothing at all."""

import os
from dataclasses import dataclass
from pathlib import Path

from lit_infer import artifacts, files, manifest
from lit_infer.engines import ENGINES, OpenGraph, engine_for_file, suffixes
from lit_infer.errors import ArtifactError, MissingExtraError, NotFoundError, UsageError
from lit_infer.manifest import Graph, Manifest


@dataclass(frozen=True)
class GraphFile:
    """A graph file of known format. `listed` is its entry in the bundle's manifest; None: a lone file."""

    path: Path
    manifest: Manifest | None
    listed: Graph | None

    def open(self, *, device: str, threads: int) -> tuple[OpenGraph, Manifest]:
        """Open the graph, from bytes that are those of the manifest, or of a file that describes itself."""
        for path, digest in self._digests().items():
            if not path.is_file() or files.sha256(path) != digest:
                raise ArtifactError(f"{path} is not the file that its manifest describes: export or fetch it again")
        opened = engine_for_file(self.path).open_graph(self.path, device=device, threads=threads)
        if self.manifest is not None:
            return opened, self.manifest
        return opened, embedded_manifest(opened, where=str(self.path))

    def _digests(self) -> dict[Path, str | None]:
        """The sha256 of the graph and of the files that belong to it, as listed; of a lone file nothing is known."""
        if self.listed is None:
            return {}
        companions = {self.path.with_name(Path(name).name): digest for name, digest in self.listed.companions.items()}
        return {self.path: self.listed.sha256, **companions}


def embedded_manifest(opened: OpenGraph, *, where: str) -> Manifest:
    """What an open graph says of itself. `where` names it in errors."""
    if opened.embedded is None:
        raise ArtifactError(f"{where} carries no lit-deploy manifest: make it with lit-export")
    return manifest.decode(opened.embedded, where=where)


def find(model: str | os.PathLike[str]) -> list[GraphFile]:
    """The graph files that a bundle folder, a lone file or a reference offers; never an empty list."""
    path = Path(model)
    if path.is_dir():
        return _in_folder(path)
    if path.is_file():
        engine_for_file(path)
        return [GraphFile(path, manifest=None, listed=None)]
    if artifacts.looks_like_reference(str(model)):
        reference = artifacts.parse(str(model))
        folder = artifacts.registry(reference).fetch(reference)
        if not (folder / manifest.FILE_NAME).is_file():
            raise NotFoundError(
                f"{model} is not a bundle; a checkpoint is made one by: lit-export onnx --artifact {model}"
            )
        return _in_folder(folder)
    raise NotFoundError(
        f"no model at {model}: expected a bundle folder, a graph file ({suffixes()}) or entity/project/name:alias"
    )


def choose(graphs: list[GraphFile], *, engine: str = "auto") -> GraphFile:
    """The first graph, fp32 before others, that an installed engine can run, in the engines' order of preference.

    An `engine` that is named is taken or refused.
    """
    if engine != "auto" and engine not in ENGINES:
        raise UsageError(f"engine {engine!r} is not known; use auto, {', '.join(ENGINES)}")
    offered = [graph for graph in graphs if engine in ("auto", engine_for_file(graph.path).format)]
    if not offered:
        here = ", ".join(sorted({engine_for_file(graph.path).format for graph in graphs}))
        raise UsageError(f"{graphs[0].path.parent} has no graph for the engine {engine}; it has {here}")
    for candidate in ENGINES.values():
        fitting = [graph for graph in offered if engine_for_file(graph.path) is candidate]
        if fitting and candidate.is_installed():
            return min(fitting, key=_is_reduced)
    wanted = engine_for_file(offered[0].path)
    fix = f'pip install "lit-deploy[{wanted.extra}]"'
    raise MissingExtraError(f"{offered[0].path} needs {wanted.module}, which is not installed. Run: {fix}")


def _is_reduced(graph: GraphFile) -> bool:
    return graph.listed is not None and graph.listed.precision != "fp32"


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
