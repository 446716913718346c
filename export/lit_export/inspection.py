"""`lit-export inspect`: what a checkpoint, a graph or a bundle is. None of its code runs, and torch is not needed."""

import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from lit_export import inspected_checkpoint
from lit_export.formats import FORMATS
from lit_export.formats.unopened import NamedLines, titled
from lit_export.front import artifact_file, container, download, file_kind
from lit_export.inspected_checkpoint import answers, outputs, preprocessing, size_text
from lit_infer import artifacts, files, manifest
from lit_infer.engines import HEAD_BYTES, Engine, engine_for_content, engine_for_suffix
from lit_infer.errors import LitError, NotFoundError, UsageError
from lit_infer.manifest import Manifest


@dataclass(frozen=True)
class Description:
    """What something is, ready to be shown."""

    target: str
    kind: str
    rows: tuple[tuple[str, str], ...]
    """Name and value, in the order to show them; a name may be empty where it continues the one above."""
    problems: tuple[str, ...] = ()
    """What is wrong with it: a file that is missing or is not the one that the manifest lists."""


def inspect(target: str) -> Description:
    """Describe the checkpoint, graph, bundle or reference that `target` names."""
    path = Path(target)
    if path.is_dir() or path.is_file():
        return _local(path, target)
    if download.is_url(target):
        with tempfile.TemporaryDirectory(prefix="lit-export-") as folder:
            return _local(download.download(target, Path(folder)), target)
    if artifact_file.looks_like_reference(target):
        return _fetched(artifact_file.parse(target), target)
    raise NotFoundError(
        f"nothing at {target}: expected a checkpoint, a graph file, a bundle or entity/project/name:alias"
    )


def render(description: Description) -> Table:
    """A description as a table of two columns. Pure."""
    table = Table.grid("", "", padding=(0, 2))
    table.add_row("[bold]" + escape(description.kind) + "[/bold]", escape(description.target))
    for name, value in description.rows:
        table.add_row(escape(name), escape(value))
    for problem in description.problems:
        table.add_row("[red]problem[/red]", f"[red]{escape(problem)}[/red]")
    return table


def _local(path: Path, target: str, source: Sequence[str] = ()) -> Description:
    if path.is_dir():
        if (path / manifest.FILE_NAME).is_file():
            return _bundle(path, target)
        raise UsageError(file_kind.folder(path))
    if path.name == manifest.FILE_NAME:
        return _bundle(path.parent, target)
    source = source or ("-c", target)
    with container.open_file(path, where=target) as file:
        head = file.read(HEAD_BYTES)
    engine = engine_for_content(head, _entries(path) if head.startswith(b"PK") else ()) or engine_for_suffix(path)
    if engine is not None:
        return Description(target, engine.title, tuple(_graph(path, engine)))
    return Description(target, "checkpoint", tuple(inspected_checkpoint.rows(path, where=target, source=source)))


def _fetched(asked: artifacts.Reference, target: str) -> Description:
    inside = asked.file if isinstance(asked, artifact_file.FileReference) else None
    reference = artifacts.Reference(asked.entity, asked.project, asked.name, asked.alias)
    folder = artifacts.registry(reference).fetch(reference)
    if inside is None and (folder / manifest.FILE_NAME).is_file():
        return _bundle(folder, target)
    return _local(artifact_file.in_folder(folder, reference, inside), target, ("--artifact", target))


def _graph(path: Path, engine: Engine) -> NamedLines:
    """What a graph file says of itself, without opening it."""
    contents = FORMATS[engine.format].contents(path)
    yield "size", size_text(path.stat().st_size)
    yield from contents.before
    yield from _embedded(contents.manifest, str(path))
    yield from contents.after


def _entries(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return []  # read as a checkpoint, where the message says what is wrong


def _embedded(raw: bytes | str | None, where: str) -> NamedLines:
    if raw is None:
        yield "manifest", "none embedded: not made by lit-export"
        return
    try:
        found = manifest.decode(raw, where=where)
    except LitError as error:
        yield "manifest", f"unreadable: {error}"
        return
    yield from _described(found)


def _described(found: Manifest) -> NamedLines:
    yield "name", f"{found.name} ({found.task})"
    yield "class", found.source.class_path + (f", its {found.source.submodule}" if found.source.submodule else "")
    yield "checkpoint", f"{found.source.reference or ''} sha256 {found.source.digest[:12]}".strip()
    if found.source.weights == "ema":
        yield "weights", "EMA"
    if (score := found.source.score) is not None:
        yield "score", f"{score.monitor} {score.value:.6g} ({score.mode})"
    for name, tensors in (("takes", found.inputs), ("gives", found.outputs)):
        yield from titled(name, [f"{t.name} {t.dtype} [{', '.join(map(str, t.shape))}]" for t in tensors])
    yield from preprocessing(found.preprocess, found.normalize, found.labels)
    yield from outputs(found.taken)
    yield from answers(found.answers)
    yield "made with", ", ".join(f"{name} {version}" for name, version in found.made_with.versions.items())


def _bundle(folder: Path, target: str) -> Description:
    found = manifest.read(folder)
    rows = list(_described(found))
    if found.made_with.date:
        rows.append(("date", found.made_with.date))
    listed = []
    for graph in found.graphs:
        state = f"{graph.file}, {size_text(graph.bytes or 0)}" if graph.status == "ok" else f"failed: {graph.reason}"
        parity = f", max diff {graph.parity.max_abs:.1e}" if graph.parity else ""
        listed.append(f"{graph.label}: {state}{parity}")
    problems = tuple(_problems(folder, found))
    rows += titled("graphs", listed)
    rows.append(("files", "some are not as listed" if problems else "all verified against the manifest"))
    return Description(target, "bundle", tuple(rows), problems)


def _problems(folder: Path, found: Manifest) -> Iterator[str]:
    for graph in found.ok_graphs():
        for name, digest in ((graph.file or "", graph.sha256), *graph.companions.items()):
            path = folder / name
            if not name or path.parent != folder or not path.is_file():
                yield f"{name} is missing"
            elif files.sha256(path) != digest:
                yield f"{name} is not the file that the manifest lists"
    if found.golden and not (folder / found.golden).is_file():
        yield f"{found.golden} is missing"
