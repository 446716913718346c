"""The files of a W&B artifact into a fresh folder: sizes checked before and while, bytes bounded in time.

wandb's own `download()` is not used: it has no read timeout, retries for twenty minutes, takes what its cache holds
unchecked, and accepts short bodies. The addresses and the digests come from wandb, as does the final `verify()`.
"""

import os
import shutil
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from lit_infer.artifacts.wandb_downloads import bring
from lit_infer.artifacts.wandb_errors import answer_s, explained
from lit_infer.errors import ArtifactError, UsageError
from lit_infer.progress import Transferred

T = TypeVar("T")
_MAX_BYTES = 64 * 2**30


def fetch_files(artifact: Any, folder: Path, *, digest: str, subject: str, told: Transferred) -> None:
    """Bring all of an artifact's files and verify them; ArtifactError if a byte differs from what was logged."""
    wanted = checked_sizes(_entries(artifact, digest, subject), subject)
    _check_room(sum(wanted.values()), folder, subject)
    with explained(subject):
        addresses = {file.name: file.direct_url for file in artifact.files(per_page=1000)}
    total, before = sum(wanted.values()), 0
    told(0, total)
    for name, size in wanted.items():
        if name not in addresses:
            raise ArtifactError(f"{subject}: W&B gives no address for {name}; log the artifact again")
        path = _place(folder, name, subject)
        bring(addresses[name], path, size, subject=subject, told=partial(_of_all, told, before, total))
        before += size
    try:
        artifact.verify(str(folder))
    except (ValueError, OSError) as error:
        raise ArtifactError(f"{subject}: arrived damaged ({error})") from None


def _of_all(told: Transferred, before: int, total: int, done: int) -> None:
    told(before + done, total)


def checked_sizes(entries: Mapping[str, Any], subject: str) -> dict[str, int]:
    """Each file's size; only plain files whose names stay inside the folder."""
    for name, entry in entries.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or not path.parts:
            raise ArtifactError(f"{subject}: its file {name!r} would lie outside its folder; it is not safe to fetch")
        if entry.ref is not None:
            raise UsageError(f"{subject}: {name} only points to {entry.ref}; an artifact with its own files is needed")
        if entry.size is None:
            raise ArtifactError(f"{subject}: {name} has no size in its list of files; log the artifact again")
    return {name: entry.size for name, entry in entries.items()}


def _place(folder: Path, name: str, subject: str) -> Path:
    """Where a file goes, if no other is there: names may differ only in ways that this file system does not see."""
    path = folder / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ArtifactError(f"{subject}: {name} cannot be stored: its folder is another of its files") from None
    if os.path.lexists(path):
        raise ArtifactError(f"{subject}: {name} and another of its files have the same name here")
    return path


def within(seconds: float, call: Callable[[], T], what: str) -> T:
    """A call that may hang, given up after a while."""
    outcome: list[tuple[T | None, BaseException | None]] = []

    def run() -> None:
        try:
            outcome.append((call(), None))
        except BaseException as error:  # raised again below, for the caller
            outcome.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise ArtifactError(f"{what} did not arrive within {seconds:g} s; try again")
    result, error = outcome[0]
    if error is not None:
        raise error
    return result  # type: ignore[return-value] # None is only there beside an error, or is the result


def _entries(artifact: Any, digest: str, subject: str) -> Mapping[str, Any]:
    """The list of files. It must have the digest that W&B records for the artifact: all else is verified against it."""
    damaged = ArtifactError(f"{subject}: its list of files arrived damaged; try again, or log the artifact again")
    try:
        with explained(subject):
            # Its session has no timeout, and retries an HTTP 500 for twenty minutes.
            manifest = within(answer_s(), lambda: artifact.manifest, f"{subject}: its list of files")
    except (ValueError, TypeError, KeyError):  # no JSON, or not of a manifest's form
        raise damaged from None
    if manifest.digest() != digest:
        raise damaged
    entries: Mapping[str, Any] = manifest.entries
    return entries


def _check_room(total: int, folder: Path, subject: str) -> None:
    limit, free = int(os.environ.get("LIT_MAX_ARTIFACT_BYTES") or _MAX_BYTES), shutil.disk_usage(folder).free
    if total > limit:
        raise UsageError(f"{subject}: {total:,} bytes are over the limit of {limit:,}; set LIT_MAX_ARTIFACT_BYTES")
    if total > free:
        raise ArtifactError(f"{subject}: {total:,} bytes do not fit: {free:,} are free; LIT_CACHE names another disk")
