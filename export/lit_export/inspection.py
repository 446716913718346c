"""`lit-export inspect`: what a checkpoint, a graph or a bundle is. None of its code runs, and torch is not needed."""

import json
import math
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from rich.markup import escape
from rich.table import Table

from lit_export import container, download, file_kind, outline, recorded
from lit_export.formats import FORMATS
from lit_export.formats.unopened import NamedLines, short, titled
from lit_export.plain_values import TensorOutline
from lit_infer import artifacts, files, manifest
from lit_infer.engines import HEAD_BYTES, Engine, engine_for_content, engine_for_suffix
from lit_infer.errors import ArtifactError, LitError, NotFoundError, UsageError
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
    if artifacts.looks_like_reference(target):
        reference = artifacts.parse(target)
        return _fetched(artifacts.registry(reference).fetch(reference), target)
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


def _local(path: Path, target: str) -> Description:
    if path.is_dir():
        if (path / manifest.FILE_NAME).is_file():
            return _bundle(path, target)
        raise UsageError(file_kind.folder(path))
    if path.name == manifest.FILE_NAME:
        return _bundle(path.parent, target)
    with container.open_file(path, where=target) as file:
        head = file.read(HEAD_BYTES)
    engine = engine_for_content(head, _entries(path) if head.startswith(b"PK") else ()) or engine_for_suffix(path)
    if engine is not None:
        return Description(target, engine.title, tuple(_graph(path, engine)))
    return Description(target, "checkpoint", tuple(_checkpoint(path, target)))


def _fetched(folder: Path, target: str) -> Description:
    if (folder / manifest.FILE_NAME).is_file():
        return _bundle(folder, target)
    found = sorted(folder.rglob("*.ckpt"))
    if len(found) == 1:
        return _local(found[0], target)
    listed = ", ".join(path.name for path in sorted(folder.iterdir()))
    raise UsageError(f"{target} is neither a bundle nor one checkpoint; it holds {listed}")


def _checkpoint(path: Path, where: str) -> NamedLines:
    with container.open_file(path, where=where) as file:
        contents = container.read_outline(file, where=where)
        if not isinstance(contents, dict):
            raise ArtifactError(f"{where} is not a checkpoint: it holds a {type(contents).__name__}")
        for state in recorded.table(contents, "callbacks").values():
            if isinstance(state, dict) and (value := container.scalar(file, state.get("current_score"))) is not None:
                state["current_score"] = value
    yield "size", _size(path.stat().st_size)
    for name, key in (("Lightning", "pytorch-lightning_version"), ("epoch", "epoch"), ("step", "global_step")):
        if key in contents:
            yield name, short(contents[key])
    if (score := recorded.score(contents)) is not None:
        yield "score", f"{score.monitor} {score.value:.6g} ({score.mode})"
    yield from _weights(contents)
    yield from _facts(contents, where)
    yield from titled("hparams", [f"{key}: {short(value)}" for key, value in recorded.hparams(contents).items()])
    others = sorted(str(key)[:40] for key in contents if key not in ("state_dict", "hyper_parameters"))
    yield "keys", ", ".join(others[:40])


def _weights(contents: dict[Any, Any]) -> NamedLines:
    tables = [key for key in ("state_dict", recorded.RAW, *recorded.AVERAGED) if recorded.table(contents, key)]
    if not tables and any(isinstance(value, TensorOutline) for value in contents.values()):
        yield "kind", "a plain state_dict: to export it give --class, and --hparam for its arguments"
        contents, tables = {"state_dict": contents}, ["state_dict"]
    for key in tables:
        tensors = [value for value in contents[key].values() if isinstance(value, TensorOutline)]
        count = sum(math.prod(tensor.shape) for tensor in tensors)
        size = sum(storage.bytes for storage in outline.storages(contents[key]))
        yield key, f"{len(tensors)} tensors, {count:,} values, {_size(size)}"
    if recorded.RAW in tables:
        yield "EMA", f"state_dict holds the averaged weights, {recorded.RAW} the raw ones (--weights ema|model)"
    elif averaged := [key for key in tables if key in recorded.AVERAGED]:
        yield "EMA", f"{averaged[0]} holds the averaged weights, state_dict the raw ones (--weights ema|model)"


def _facts(contents: dict[Any, Any], where: str) -> NamedLines:
    try:
        record = recorded.record(contents, where)
    except LitError as error:
        yield "deployment", str(error)
        return
    if record is None:
        named = recorded.hparams(contents).get("_class_path")
        yield "class", named if isinstance(named, str) else "not recorded: to export it give --class pkg.mod:Cls"
        yield "deployment", "no facts recorded: to export more than bare tensors give --spec FILE"
        return
    facts = record.deployment
    yield "class", facts.class_path or "not recorded: to export it give --class pkg.mod:Cls"
    yield "task", facts.task
    yield from _preprocessing(facts.preprocess, facts.normalize, facts.labels)
    yield from _answers(facts.answers)
    yield from titled("batch", [_seen(tensor) for tensor in record.batch or ()])
    yield from titled("forward", [_seen(tensor) for tensor in record.inputs or ()])
    if record.run:
        yield "run", record.run
    if record.git_commit:
        yield "git commit", record.git_commit


def _seen(tensor: manifest.BatchTensor) -> str:
    return f"{tensor.name}: {tensor.dtype} {list(tensor.shape)}"


def _answers(answers: dict[str, Any]) -> NamedLines:
    if answers:
        yield "answers", json.dumps(answers, ensure_ascii=False)


def _preprocessing(steps: Any, normalize: Any, labels: tuple[str, ...] | None) -> NamedLines:
    yield from titled("preprocess", [json.dumps(msgspec.to_builtins(step)) for step in steps])
    if normalize is not None:
        yield "normalize", f"mean {list(normalize.mean)}, std {list(normalize.std)}"
    if labels is not None:
        shown = ", ".join(labels[:8])
        yield "labels", f"{len(labels)}: {shown}{', ...' if len(labels) > 8 else ''}"


def _graph(path: Path, engine: Engine) -> NamedLines:
    """What a graph file says of itself, without opening it."""
    contents = FORMATS[engine.format].contents(path)
    yield "size", _size(path.stat().st_size)
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
    yield from _preprocessing(found.preprocess, found.normalize, found.labels)
    yield from _answers(found.answers)
    yield "made with", ", ".join(f"{name} {version}" for name, version in found.made_with.versions.items())


def _bundle(folder: Path, target: str) -> Description:
    found = manifest.read(folder)
    rows = list(_described(found))
    if found.made_with.date:
        rows.append(("date", found.made_with.date))
    listed = []
    for graph in found.graphs:
        state = f"{graph.file}, {_size(graph.bytes or 0)}" if graph.status == "ok" else f"failed: {graph.reason}"
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


def _size(count: int) -> str:
    return f"{count / 1e6:.2f} MB" if count >= 10_000 else f"{count:,} bytes"
