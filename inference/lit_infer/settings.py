"""The settings that `lit-bench tune` found best for a model on this machine: `$LIT_CACHE/settings/<digest>.json`.

`load` uses them only on the machine that they were measured on. The digest is the checkpoint's.
"""

import os
from pathlib import Path

import msgspec

from lit_infer import files
from lit_infer.errors import ArtifactError
from lit_infer.hardware import cpu_model, usable_cpus
from lit_infer.manifest import Manifest, Precision


class TunedSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Used where the caller names nothing; None: no opinion."""

    batch_size: int | None = None
    threads: int | None = None
    engine: str | None = None
    precision: Precision | None = None
    processes: int | None = None
    """Of `lit-serve`; 0: its own threads."""

    def __post_init__(self) -> None:
        if any(number is not None and number < 1 for number in (self.batch_size, self.threads)):
            raise ValueError("batch_size and threads are at least 1")
        if self.processes is not None and self.processes < 0:
            raise ValueError("processes are at least 0")


NONE = TunedSettings()


class _Tuned(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    cpu: str
    cores: int
    settings: TunedSettings


def path(manifest: Manifest) -> Path:
    """Where a model's settings are kept."""
    root = os.environ.get("LIT_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "lit-deploy")
    return Path(root).expanduser() / "settings" / f"{manifest.source.digest}.json"


def read(manifest: Manifest) -> TunedSettings:
    """The settings that were found for this model on this machine; NONE if there are none."""
    file = path(manifest)
    try:
        tuned = msgspec.json.decode(file.read_bytes(), type=_Tuned)
    except FileNotFoundError:
        return NONE
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise ArtifactError(f"{file} cannot be used ({error}). Remove it, or run: lit-bench tune") from None
    return tuned.settings if (tuned.cpu, tuned.cores) == (cpu_model(), usable_cpus()) else NONE


def write(manifest: Manifest, settings: TunedSettings) -> Path:
    """Save settings for this model on this machine."""
    file = path(manifest)
    tuned = _Tuned(cpu=cpu_model(), cores=usable_cpus(), settings=settings)
    with files.atomic_text(file) as out:
        out.write(msgspec.json.format(msgspec.json.encode(tuned), indent=2).decode() + "\n")
    return file
