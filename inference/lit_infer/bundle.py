"""Find a model by any of its names: a bundle folder, a graph file on its own, a reference, or nothing at all."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from lit_infer import artifacts, graph_source, manifest, same_facts
from lit_infer.engines import ENGINES, Engine, OpenGraph, engine_for_file, split, suffixes
from lit_infer.errors import ArtifactError, MissingExtraError, NotFoundError, UsageError
from lit_infer.manifest import Graph, Manifest, Precision


@dataclass(frozen=True)
class GraphFile:
    """A graph file of known format. `listed` is its entry in the bundle's manifest; None for a file on its own."""

    path: Path
    manifest: Manifest | None
    listed: Graph | None
    provider: str = "auto"
    """The part of onnxruntime that is to run it; other engines have none."""
    allow_native_code: bool = False
    """Set by a caller that compiled the file itself. For all other files, $LIT_ALLOW_NATIVE_CODE decides."""

    @property
    def engine(self) -> Engine:
        """The engine that runs it."""
        return engine_for_file(self.path)

    def open(self, *, device: str, threads: int) -> tuple[OpenGraph, Manifest]:
        """Open the graph, after checking that its bytes are those of the manifest; a lone file describes itself."""
        source = graph_source.checked(self.path, self.listed) if self.listed else graph_source.lone(self.path)
        opened = self.engine.open_graph(source, device=device, threads=threads, **self._choices())
        own = embedded_manifest(opened, where=str(self.path))
        if self.manifest is None:
            return opened, own
        self._compare(self.manifest, own)
        return opened, self.manifest

    def _compare(self, outer: Manifest, own: Manifest) -> None:
        """Nothing vouches for the file beside the graph but the copy inside, whose bytes were checked."""
        if changed := same_facts.differences(outer, own):
            raise ArtifactError(
                f"{self.path.with_name(manifest.FILE_NAME)}: {', '.join(changed)} differs from the copy inside "
                f"{self.path.name}. One of them was changed: export or fetch the bundle again"
            )

    def _choices(self) -> dict[str, Any]:
        """Arguments that only some engines take."""
        chosen: dict[str, Any] = {} if self.provider == "auto" else {"provider": self.provider}
        return chosen | ({"allow_native_code": self.allow_native_code} if self.engine.holds_native_code else {})


def embedded_manifest(opened: OpenGraph, *, where: str) -> Manifest:
    """The manifest inside an open graph. `where` names it in errors."""
    if opened.embedded is None:
        raise ArtifactError(f"{where} carries no lit-deploy manifest: make it with lit-export")
    return manifest.decode(opened.embedded, where=where)


def find(model: str | os.PathLike[str]) -> list[GraphFile]:
    """The graph files that a bundle folder, a file on its own or a reference offers; never an empty list."""
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
                f"{model} is not a bundle. To make one of a checkpoint, run: lit-export onnx --artifact {model}"
            )
        return _in_folder(folder)
    raise NotFoundError(
        f"no model at {model}: expected a bundle folder, a graph file ({suffixes()}) or entity/project/name:alias"
    )


def choose(graphs: list[GraphFile], *, engine: str = "auto", precision: str = "auto") -> GraphFile:
    """The graph to run. A named `engine` or `precision` is used or refused.

    `engine` may name one of onnxruntime's providers, as in `onnx:tensorrt`. `precision` may be `auto:int8`: that graph
    where the bundle has one that can run here, else fp32. Otherwise fp32 comes before reduced precisions, then the
    engines in their order of preference. A graph that was compiled for one host is taken only when its engine is named
    or nothing else is there.
    """
    engine, provider = split(engine)
    order = precisions(precision)
    offered = [graph for graph in graphs if _is_asked_for(graph, engine, precision)]
    if not offered:
        raise _not_offered(graphs, engine, precision)
    runnable = [graph for graph in offered if graph.engine.is_installed()]
    if not runnable:
        wanted = offered[0].engine
        fix = f'pip install "lit-deploy[{wanted.extra}]"'
        raise MissingExtraError(f"{offered[0].path} needs {wanted.module}, which is not installed. Run: {fix}")
    return replace(min(runnable, key=lambda graph: _preference(graph, order)), provider=provider)


def precisions(asked: str) -> tuple[Precision, ...]:
    """What a wish allows, the preferred first: of `auto` all, of `auto:int8` that and fp32. Raises UsageError."""
    known: tuple[Precision, ...] = get_args(Precision)
    wished: dict[str, tuple[Precision, ...]] = {"auto": known, **{one: (one,) for one in known}}
    wished |= {f"auto:{one}": (one, "fp32") for one in known if one != "fp32"}
    if asked not in wished:
        raise UsageError(f"precision {asked!r} is not known; use {', '.join(wished)}")
    return wished[asked]


def offers(graphs: list[GraphFile], *, engine: str, precision: str) -> bool:
    """Whether `choose` would find one that can run here."""
    return any(_is_asked_for(graph, engine, precision) and graph.engine.is_installed() for graph in graphs)


def _is_asked_for(graph: GraphFile, engine: str, precision: str) -> bool:
    if engine not in ("auto", graph.engine.format):
        return False
    return precision == "auto" if graph.listed is None else graph.listed.precision in precisions(precision)


def _preference(graph: GraphFile, order: tuple[Precision, ...]) -> tuple[bool, int, int]:
    """The least is taken. Of the precisions that were not asked for by name only fp32 goes before the others."""
    precision = "fp32" if graph.listed is None else graph.listed.precision
    rank = order.index(precision) if len(order) < len(get_args(Precision)) else int(precision != "fp32")
    return graph.engine.is_for_one_host, rank, list(ENGINES).index(graph.engine.format)


def _not_offered(graphs: list[GraphFile], engine: str, precision: str) -> UsageError:
    if precision != "auto" and graphs[0].listed is None:
        return UsageError(f"{graphs[0].path}: a graph file on its own does not say its precision. Name its bundle")
    asked = "graph" if precision == "auto" else f"{' or '.join(precisions(precision))} graph"
    by = "" if engine == "auto" else f" for the engine {engine}"
    here = ", ".join(sorted({graph.listed.label if graph.listed else graph.engine.format for graph in graphs}))
    return UsageError(f"{graphs[0].path.parent} has no {asked}{by}; it has {here}")


def default_model() -> str:
    """`$LIT_MODEL`, else the newest bundle below `artifacts/`."""
    if named := os.environ.get("LIT_MODEL"):
        return named
    root = artifacts.artifacts_root()
    manifests = [path for path in root.rglob(manifest.FILE_NAME) if _is_offered(path.relative_to(root))]
    if not manifests:
        raise NotFoundError(
            f"no model was named, and there is no bundle below {root}/. Give --model, set LIT_MODEL, or make one: "
            "lit-export onnx --artifact local/digits/digits-cnn:best"
        )
    return str(max(manifests, key=lambda path: path.stat().st_mtime_ns).parent)


def _is_offered(path: Path) -> bool:
    """Neither the registry's copies nor what is still being staged."""
    return path.parts[0] != "registry" and not any(part.startswith(".") for part in path.parts)


def _in_folder(folder: Path) -> list[GraphFile]:
    described = manifest.read(folder)
    graphs = [GraphFile(folder / (graph.file or ""), described, graph) for graph in described.ok_graphs()]
    if not graphs:
        failed = "; ".join(f"{graph.format}: {graph.reason}" for graph in described.graphs) or "it lists none"
        raise ArtifactError(f"{folder} holds no graph that passed its checks ({failed}). Export the model again")
    for graph in graphs:
        if graph.path.parent != folder or not graph.path.exists():
            raise ArtifactError(f"{folder}: {graph.path.name} is missing. Export or fetch the bundle again")
    return graphs
