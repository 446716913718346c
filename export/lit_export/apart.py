"""Several formats, each in a process of its own with a time limit: one that crashes or hangs stops no other.

The parent imports no torch. It asks a child, `python -m lit_export.apart`, for one format at a time, as JSON on
stdin, and puts the bundles that come back together.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from lit_export import bundle_folder
from lit_export.bundle_folder import Bundle
from lit_export.options import Options
from lit_infer import artifacts, errors, files, manifest
from lit_infer.errors import LitError
from lit_infer.manifest import Graph, Manifest


class _Request(msgspec.Struct, frozen=True):
    source: str
    is_reference: bool
    format: manifest.Format
    out: str
    options: Options
    is_quiet: bool


class _Answer(msgspec.Struct, frozen=True):
    """What a child found: its graphs, or the error that kept it from trying."""

    manifest: Manifest | None = None
    graphs: tuple[Graph, ...] = ()
    error: str | None = None
    kind: str = "LitError"


def export_apart(
    source: artifacts.Reference | Path | str,
    formats: Sequence[manifest.Format],
    *,
    out: Path | None = None,
    options: Options = Options(),  # noqa: B008 - frozen
    note: Callable[[str], None] | None = None,
) -> Bundle:
    """As `pipeline.export`, with a child process for each format. Without a `note` the children are quiet too."""
    parent = (out.absolute().parent if out else artifacts.artifacts_root() / "bundles").absolute()
    with files.staging_folder(parent) as staged:
        answers = []
        for name in formats:
            answers.append(_ask(source, name, staged / name, options=options, is_quiet=note is None))
            if answers[-1].error is not None:  # it could not even begin, and no other format could
                raise getattr(errors, answers[-1].kind, LitError)(answers[-1].error)
        made = tuple(graph for answer in answers for graph in answer.graphs)
        first = next((answer for answer in answers if answer.manifest), None)
        if first is None or first.manifest is None:
            reasons = "; ".join(f"{graph.label}: {graph.reason}" for graph in made)
            raise errors.GateError(f"no format could be exported: {reasons}")
        stages = [staged / name for name in formats]
        described = first.manifest.embedded()
        folder = out or bundle_folder.default_folder(described)
        return bundle_folder.finish(folder, described, made, staged=stages, options=options, note=note or _silent)


def _ask(
    source: artifacts.Reference | Path | str, name: manifest.Format, out: Path, *, options: Options, is_quiet: bool
) -> _Answer:
    """One format, in a child. A child that dies or takes too long is a failed graph."""
    is_reference = isinstance(source, artifacts.Reference)
    request = _Request(str(source), is_reference, name, str(out), replace(options, publish=False), is_quiet)
    try:
        child = subprocess.run(
            [sys.executable, "-m", "lit_export.apart"],
            input=msgspec.json.encode(request),
            stdout=subprocess.PIPE,
            timeout=options.time_limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _failed(name, options, f"it took longer than {options.time_limit:.0f} s (--time-limit)")
    if child.returncode < 0:
        return _failed(name, options, f"its process was ended by {signal.Signals(-child.returncode).name}")
    try:
        return msgspec.json.decode(child.stdout, type=_Answer)
    except msgspec.MsgspecError:
        return _failed(name, options, f"its process ended with {child.returncode} and no answer")


def _silent(_: str) -> None:
    pass


def _failed(name: manifest.Format, options: Options, reason: str) -> _Answer:
    return _Answer(
        graphs=tuple(
            Graph(format=name, status="failed", precision=precision, reason=reason) for precision in options.precisions
        )
    )


def _child() -> None:
    """Export one format as asked on stdin; the answer is all that stdout carries."""
    answer_to = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=_Request)
    try:
        answer = _answer(request)
    except LitError as error:
        answer = _Answer(error=str(error), kind=type(error).__name__)
    with os.fdopen(answer_to, "wb") as stream:
        stream.write(msgspec.json.encode(answer))


def _answer(request: _Request) -> _Answer:
    from lit_export.pipeline import export
    from lit_infer import console

    bundle = export(
        artifacts.parse(request.source) if request.is_reference else request.source,
        [request.format],
        out=Path(request.out),
        options=request.options,
        note=_silent if request.is_quiet else console.note,
    )
    return _Answer(manifest=bundle.manifest, graphs=bundle.attempted)


if __name__ == "__main__":
    _child()
