"""Several formats, each in a process of its own with a time limit: one that crashes or hangs stops no other.

The parent imports no torch. It asks a child, whose story is `child`, for one format at a time, and puts the bundles
that come back together. A child never outlives its parent, nor what it started itself its time limit.
"""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread

import msgspec

from lit_export import bundle_folder, relay
from lit_export.bundle_folder import Bundle
from lit_export.formats import FORMATS
from lit_export.options import Options
from lit_infer import artifacts, errors, files, manifest, progress
from lit_infer.errors import GateError, LitError, UsageError
from lit_infer.manifest import Graph, Manifest

CheckpointName = artifacts.Reference | Path | str
_LAST_LINES_S = 5.0  # for the last lines of a child that has ended; a process that it left behind may hold the pipe
# -P: not from the current folder, where any file may be called as a module is.
_CHILD = ("-P", "-c", "from lit_export.isolated import child; child()")


@dataclass(frozen=True)
class ExportRequest:
    """What a child is asked for. It is pickled: it goes from us to our own child, and hparams may be any objects."""

    source: CheckpointName | None
    format: manifest.FormatName
    out: Path
    options: Options


class ExportReply(msgspec.Struct, frozen=True):
    """What a child found: its graphs, or the error that stopped it before it could try."""

    manifest: Manifest | None = None
    graphs: tuple[Graph, ...] = ()
    error: str | None = None
    kind: str = "LitError"


def export_isolated(
    source: CheckpointName | None,
    formats: Sequence[manifest.FormatName],
    *,
    out: Path | None = None,
    options: Options = Options(),  # noqa: B008 - frozen
) -> Bundle:
    """As `pipeline.export`, with a child process for each format. What a child reports is reported here.

    A format is made in those of the precisions that it can have, if what it needs is installed; lines name the others.
    """
    wanted = _wanted(formats, options)
    parent = (out.absolute().parent if out else artifacts.artifacts_root() / "bundles").absolute()
    with files.staging_folder(parent) as staged:
        described, made = None, list[Graph]()
        for name, precisions in wanted.items():
            own = replace(options, precisions=precisions, publish=False)
            answer = _ask(ExportRequest(source, name, staged / name, own))
            if answer.error is not None:
                answer = _could_not_begin(answer, name, precisions, others_did=described is not None)
            if described is not None and _is_of_other_weights(answer, described):
                answer = _failed(name, precisions, "the weights are others than before: --factory must make the same")
            made += answer.graphs
            if described is None and answer.manifest is not None:
                described = answer.manifest.embedded()
                folder = out or bundle_folder.default_folder(described)
                keys = [(name, precision) for name in wanted for precision in precisions]
                bundle_folder.graphs_that_stay(folder, described, keys)  # refused now rather than in the end
        if described is None:
            raise GateError("no format could be exported: " + "; ".join(f"{one.label}: {one.reason}" for one in made))
        stages = [staged / name for name in wanted]
        return bundle_folder.finish(folder, described, made, staged=stages, options=options)


def _wanted(
    formats: Sequence[manifest.FormatName], options: Options
) -> dict[manifest.FormatName, tuple[manifest.Precision, ...]]:
    """Each format, with those of the precisions that it can have."""
    wanted = {}
    for name in formats:
        row, able = FORMATS[name], FORMATS[name].writers
        if row.missing:
            fix = f'pip install "lit-deploy[{row.extra}]"'
            progress.note(f"{name}: left out, since {row.missing} is not installed. To have it: {fix}")
            continue
        wanted[name] = tuple(one for one in dict.fromkeys(options.precisions) if one in able)
        if left_out := ", ".join(one for one in options.precisions if one not in able):
            progress.note(f"{name}: not in {left_out}, which it does not support; it supports {', '.join(able)}")
    if not wanted:
        for name in formats:
            FORMATS[name].check(options.precisions[0])
    if not any(wanted.values()):
        raise UsageError(f"none of {', '.join(formats)} supports {', '.join(options.precisions)}")
    return {name: precisions for name, precisions in wanted.items() if precisions}


def _could_not_begin(
    answer: ExportReply, name: manifest.FormatName, precisions: Sequence[manifest.Precision], *, others_did: bool
) -> ExportReply:
    """A failed graph where the error is this format's own; one that every format would meet is raised."""
    if others_did:
        return _failed(name, precisions, str(answer.error))
    raise getattr(errors, answer.kind, LitError)(answer.error)


def _ask(request: ExportRequest) -> ExportReply:
    """One format, in a child. A child that dies or takes too long is a failed graph."""
    name, options = request.format, request.options
    try:
        returncode, answer = _run(pickle.dumps(request), name=name, time_limit=options.time_limit)
    except subprocess.TimeoutExpired:
        return _failed(name, options.precisions, f"it took longer than {options.time_limit:g} s (--time-limit)")
    if returncode < 0:
        why = f"its process was ended by {signal.Signals(-returncode).name}"
        killed = ", perhaps because memory ran out" if -returncode == signal.SIGKILL else ""
        return _failed(name, options.precisions, why + killed)
    try:
        return msgspec.json.decode(answer, type=ExportReply)
    except msgspec.MsgspecError:
        return _failed(name, options.precisions, f"its process ended with {returncode} and no answer")


def _run(request: bytes, *, name: str, time_limit: float) -> tuple[int, bytes]:
    """The exit code of a child and what it wrote. Whatever happens here, nothing that it started goes on."""
    (watched, held), (told, telling) = os.pipe(), os.pipe()
    with subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, *_CHILD, str(watched), str(telling)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[watched, telling],
        start_new_session=True,
    ) as process:
        os.close(watched)
        os.close(telling)
        retelling = Thread(target=copy_context().run, args=[relay.retell, told, name], daemon=True)
        retelling.start()
        try:
            answer, _ = process.communicate(request, timeout=time_limit)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            os.close(held)
            retelling.join(_LAST_LINES_S)
    return process.returncode, answer


def _is_of_other_weights(answer: ExportReply, described: Manifest) -> bool:
    """Whether a child exported another module: a factory that draws its weights by its own random numbers."""
    return answer.manifest is not None and answer.manifest.source.digest != described.source.digest


def _failed(name: manifest.FormatName, precisions: Sequence[manifest.Precision], reason: str) -> ExportReply:
    graphs = (Graph(format=name, status="failed", precision=precision, reason=reason) for precision in precisions)
    return ExportReply(graphs=tuple(graphs))


def child() -> None:
    """Export one format as asked on stdin; the answer is all that stdout carries."""
    Thread(target=_end_with_the_parent, args=[int(sys.argv[1])], daemon=True).start()
    answer_to = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints
    try:
        answer = _answer(pickle.loads(sys.stdin.buffer.read()), int(sys.argv[2]))  # noqa: S301 - from our own parent
    except LitError as error:
        answer = ExportReply(error=str(error), kind=type(error).__name__)
    with os.fdopen(answer_to, "wb") as stream:
        stream.write(msgspec.json.encode(answer))


def _end_with_the_parent(watched: int) -> None:
    """The parent holds the other end of this pipe as long as it lives."""
    os.read(watched, 1)
    os.killpg(0, signal.SIGKILL)


def _answer(request: ExportRequest, tell_to: int) -> ExportReply:
    from lit_export.pipeline import export

    with progress.listening(relay.listener(tell_to)):
        bundle = export(request.source, [request.format], out=request.out, options=request.options)
    return ExportReply(manifest=bundle.manifest, graphs=bundle.attempted)
