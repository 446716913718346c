"""Publishing to W&B: a run that uses the parents and logs the artifact, so that the graph of lineage shows both."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lit_infer.artifacts.reference import Reference
from lit_infer.artifacts.root import artifacts_root
from lit_infer.artifacts.wandb_errors import answer_s, explained
from lit_infer.errors import ArtifactError, UsageError, require

_SLOWEST_UPLOAD = 2**18  # bytes per second
_FINISH_S = 60


def log_artifact(
    folder: Path,
    to: Reference,
    *,
    type: str,  # noqa: A002 - W&B's word for it
    aliases: Sequence[str],
    metadata: Mapping[str, Any],
    parents: Sequence[str],
) -> str:
    """Log a folder as the next version of `to`, wait until W&B has it, and give the version, such as `v3`."""
    size = _size(folder)
    wandb = require("wandb", extra="wandb", purpose="Publishing to W&B")
    with explained(to.collection), _run(wandb, to, seconds=upload_s(size)) as run:
        for parent in parents:
            run.use_artifact(parent)
        artifact = wandb.Artifact(to.name, type=type, metadata=dict(metadata))
        artifact.add_dir(str(folder))
        logged = run.log_artifact(artifact, aliases=list(aliases))
        _wait(logged, upload_s(size), f"{to.collection}: {size:,} bytes")
        return str(logged.version)


def _wait(logged: Any, seconds: float, what: str) -> None:
    """Until W&B has committed the version."""
    try:
        logged.wait(timeout=seconds)
    except ValueError as error:  # what wandb raises when the server refuses
        raise ArtifactError(f"{what} were not accepted by W&B: {str(error).partition(chr(10))[0]}") from None
    except Exception as error:
        if type(error).__name__ != "WaitTimeoutError":
            raise
        hint = "try again; on a slow line, set a larger WANDB_FINISH_TIMEOUT"
        raise ArtifactError(f"{what} could not be uploaded within {seconds:.0f} s; {hint}") from None


def upload_s(size: int) -> float:
    """How long an upload may take: `$WANDB_FINISH_TIMEOUT` and what a slow line needs for the bytes."""
    return float(os.environ.get("WANDB_FINISH_TIMEOUT") or _FINISH_S) + size / _SLOWEST_UPLOAD


@contextmanager
def _run(wandb: Any, to: Reference, *, seconds: float) -> Iterator[Any]:
    """A run of its own: one that is open in this process, such as a training's, stays open."""
    runs = artifacts_root() / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    settings = wandb.Settings(
        console="off",
        disable_git=True,
        finish_timeout=float(os.environ.get("WANDB_FINISH_TIMEOUT") or _FINISH_S),
        init_timeout=answer_s(),
        reinit="create_new",
        silent=True,
        x_disable_machine_info=True,
        x_disable_stats=True,
        # Without these, a storage server that falls silent blocks finish(), and the end of the process, forever.
        x_file_stream_retry_max=3,
        x_file_stream_timeout_seconds=answer_s(),
        x_file_transfer_retry_max=2,
        x_file_transfer_timeout_seconds=max(1, int(seconds)),
        x_graphql_retry_max=3,
        x_graphql_timeout_seconds=answer_s(),
        x_save_requirements=False,
    )
    run = wandb.init(entity=to.entity, project=to.project, job_type="export", dir=str(runs), settings=settings)
    try:
        yield run
    except BaseException:
        run.finish(exit_code=1)
        raise
    run.finish()


def _size(folder: Path) -> int:
    """The bytes of a folder's files; an artifact holds only regular files."""
    paths = sorted(folder.rglob("*"))
    for path in paths:
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise UsageError(f"{path} is not a regular file: an artifact holds only regular files")
    found = [path.stat().st_size for path in paths if path.is_file()]
    if not found:
        raise UsageError(f"{folder} holds no files to publish")
    return sum(found)
