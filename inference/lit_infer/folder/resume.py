"""What an interrupted run has done, kept so that the next one can continue: `OUTPUT.partial/`.

    job.json     what the rows depend on; a run that differs in any of it cannot continue here
    rows.jsonl   the rows so far
    inputs.bin   8 bytes per row: a digest of its file's size and date, so that a changed image is noticed
    …            the other outputs so far (vectors.npy, thumbnails.jsonl)

`partial.py` says how the files grow. A run continues at the start of a batch, so that each image is in the batch in
which an uninterrupted run would have put it.
"""

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lit_infer import files
from lit_infer.errors import UsageError


def folder_for(output: Path) -> Path:
    """The folder in which an output's unfinished run is kept."""
    return output.with_name(output.name + ".partial")


@contextmanager
def locked(folder: Path, *, identity: dict[str, Any], resume: bool) -> Iterator[Path]:
    """The folder, locked for this run: as the last run left it with `resume`, otherwise empty.

    Raises UsageError if another process is writing the same output, or if the last run was a different one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(
                f"another lit-infer is writing here ({folder}): wait for it, or name another --output"
            ) from None
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
    """Remove the folder of a finished run."""
    shutil.rmtree(folder, ignore_errors=True)


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
        path.unlink()


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != "lock":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
