"""What an interrupted run has done, kept so that the next one can go on: `OUTPUT.partial/`.

    job.json     what the rows depend on; a run that differs in any of it may not go on here
    rows.jsonl   the rows so far
    inputs.bin   8 bytes a row: size and date of its file, so that a changed image is noticed
    …            what other outputs have so far (vectors.npy, thumbnails.jsonl)

How the files grow is told in `partial.py`. A run goes on at a whole batch, so that each image meets the neighbours
that it would have met.
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
    """Where an output's unfinished run is kept."""
    return output.with_name(output.name + ".partial")


@contextmanager
def locked(folder: Path, *, identity: dict[str, Any], resume: bool) -> Iterator[Path]:
    """The folder for this run alone: with `resume` as the last run left it, else empty.

    Raises UsageError where another process writes the same output, and where the last run was another one.
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
    """The run is finished."""
    shutil.rmtree(folder, ignore_errors=True)


def _check_same(folder: Path, identity: dict[str, Any]) -> None:
    try:
        before = json.loads((folder / "job.json").read_bytes())
    except FileNotFoundError:
        _empty(folder)  # nothing to go on with
        return
    except ValueError:
        before = {}
    for name in {**identity, **before}:
        then, now = before.get(name), identity.get(name)
        if then != now:
            shown = "" if isinstance(now, str) and len(now) == 64 else f" (then {then}, now {now})"
            raise UsageError(
                f"--resume: {name} is not what it was{shown}. "
                f"Give the same line as before, or leave --resume out to start over ({folder})"
            )


def _sweep(folder: Path) -> None:
    """Remove the temporary files of a run that was killed while it wrote them: each attempt would leave another."""
    for path in folder.glob(".*"):
        path.unlink()


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != "lock":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
