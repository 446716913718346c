"""What an interrupted run has done, kept so that the next one can continue: `OUTPUT.partial/`.

    lock         our marker; a folder whose lock does not hold it is somebody else's, and is left alone
    job.json     what the rows depend on; a run that differs in any of it cannot continue here
    rows.jsonl   the rows so far
    inputs.bin   8 bytes per row: a digest of its file's size and date, so that a changed image is noticed
    notes.bin    a byte per row: what its image has that was not used
    blocks.bin   in place of these three, for rows of files: `rows/outputs.py`
    …            the other outputs so far (vectors.npy, thumbnails.jsonl, array-0.bin)

`partial.py` says how the files grow. A run continues at the start of a batch, so that each image is in the batch in
which an uninterrupted run would have put it.
"""

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lit_infer import files
from lit_infer.errors import UsageError

_MARKER = b"The unfinished run of a lit-infer: this folder is its own.\n"
_OURS = re.compile(
    r"job\.json|blocks\.bin|rows\.(jsonl|csv|parquet|npz|npy)|array-\d+\.bin|inputs\.bin|notes\.bin|vectors\.npy|thumbnails\.jsonl|report\.html"
)


def folder_for(output: Path) -> Path:
    """The folder in which an output's unfinished run is kept."""
    return output.with_name(output.name + ".partial")


@contextmanager
def locked(folder: Path, *, identity: dict[str, Any], resume: bool) -> Iterator[Path]:
    """The folder, locked for this run: as the last run left it with `resume`, otherwise empty.

    Raises UsageError if another process is writing the same output, if the last run was a different one, or if the
    folder is not one that a run has made.
    """
    with _claimed(folder):
        _sweep(folder)
        if resume:
            _check_same(folder, identity)
        else:
            _empty(folder)
        if not (folder / "job.json").exists():
            with files.atomic_text(folder / "job.json") as file:
                json.dump(identity, file, indent=1)
        yield folder


def remove(folder: Path) -> None:
    """Remove the folder of a finished run; files that no run has made stay, and so does the folder then."""
    with suppress(OSError):
        _empty(folder)
        (folder / "lock").unlink()
        folder.rmdir()


@contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """The folder, made or found to be ours, and locked."""
    folder.mkdir(parents=True, exist_ok=True)
    if folder.is_symlink():
        raise UsageError(f"{folder} is a link: remove it, or name another --output")
    names = _checked_names(folder)
    if names and "lock" not in names:
        raise _foreign(folder)
    # Whoever could put a link there could have a file of yours emptied: so no link is followed, and nothing truncated.
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(
                f"another lit-infer is writing here ({folder}): wait for it, or name another --output"
            ) from None
        found = os.read(lock, 2 * len(_MARKER))
        if found == b"" and names <= {"lock"}:  # nobody's yet
            os.write(lock, _MARKER)
        elif found != _MARKER:
            raise _foreign(folder)
        yield
    finally:
        os.close(lock)


def _checked_names(folder: Path) -> set[str]:
    """The names in the folder. Raises UsageError for links: what is written through them lies elsewhere."""
    names = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink() or (entry.is_file() and os.lstat(entry).st_nlink > 1):
                raise UsageError(f"{entry.path} is a link: remove it, or name another --output")
            names.add(entry.name)
    return names


def _foreign(folder: Path) -> UsageError:
    return UsageError(f"{folder} was not made by an unfinished run: remove it, or name another --output")


def _check_same(folder: Path, identity: dict[str, Any]) -> None:
    try:
        before = json.loads((folder / "job.json").read_bytes())
    except FileNotFoundError:
        _empty(folder)  # nothing to continue from
        return
    except ValueError:
        before = {}
    for name in {**identity, **before}:
        then, now = before.get(name), identity.get(name)
        if then != now:
            shown = "" if isinstance(now, str) and len(now) == 64 else f" (then {then}, now {now})"
            raise UsageError(
                f"--resume: {name} has changed{shown}. "
                f"Repeat the command as it was, or start over without --resume ({folder})"
            )


def _sweep(folder: Path) -> None:
    """Remove the temporary files that killed runs have left."""
    for path in folder.glob(".*"):
        if _OURS.match(path.name[1:]):
            path.unlink()


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_file() and _OURS.fullmatch(path.name):
            path.unlink()
