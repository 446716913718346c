"""`lit-infer doctor`: what is here, what is not, and what to do about each no. Imports no engine."""

import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lit_infer.artifacts import PROVIDERS, artifacts_root
from lit_infer.bench.environment import environment
from lit_infer.engines import ENGINES, Engine

_EXTRAS = (
    ("serve", "starlette", "lit-serve"),
    ("wandb", "wandb", "references to a registry online"),
    ("parquet", "pyarrow", "Parquet and Arrow files"),
    ("cloud", "fsspec", "s3:// and gs://"),
    ("heif", "pillow_heif", "HEIC photos"),
    ("video", "av", "videos, frame by frame"),
    ("opencv", "cv2", "pixels as albumentations makes them"),
    ("tiff", "tifffile", "TIFF of many bands"),
    ("text", "tokenizers", "models of texts"),
    ("audio", "soundfile", "models of recordings"),
    ("verify", "cryptography", "signatures"),
    ("export", "onnxscript", "lit-export"),
    ("train", "jsonargparse", "lit-train"),
)
"""Extra, the module that it brings, and what that is for."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    is_here: bool
    said: str
    cure: str = ""
    """What to run, where there is something to run."""

    def __str__(self) -> str:
        cure = f". {self.cure}" if self.cure else ""
        return f"{self.subject:<12} {'yes' if self.is_here else 'no':<4} {self.said}{cure}"


def doctor() -> list[Finding]:
    """Everything that a report of a bug should have, and that decides what can be done here."""
    here = environment()
    return [
        Finding("lit-deploy", True, f"{here.get('lit-deploy')}, Python {here['python']}, {here['platform']}"),
        Finding("processor", True, _processor(here)),
        _gpu(here),
        _resizing(),
        *(_engine(engine) for engine in ENGINES.values()),
        *_extras(),
        *_registries(),
        _folder(artifacts_root()),
    ]


def can_run(findings: list[Finding]) -> bool:
    """Whether any engine is here: without one no model runs."""
    return any(finding.is_here for finding in findings if finding.subject in ENGINES)


def _processor(here: dict[str, Any]) -> str:
    flags = ", ".join(here.get("cpu_flags", ())) or "no vector units that matter"
    return f"{here.get('cpu', 'unknown')}, {here['cores']} usable of {here['cores_of_machine']} cores, {flags}"


def _gpu(here: dict[str, Any]) -> Finding:
    cards = here.get("gpus")
    if not cards:
        return Finding("GPU", False, "no NVIDIA driver tells of one; models run on the CPU")
    packages = {name for engine in ENGINES.values() if not engine.is_cpu_only for name in engine.packages}
    if any(_version(name) for name in packages - {"onnxruntime"}):  # that one is its build for the CPU
        return Finding("GPU", True, ", ".join(cards))
    return Finding("GPU", False, f"{', '.join(cards)}, and no engine for it", _install("gpu"))


def _resizing() -> Finding:
    from lit_infer.images.resampling import kernel

    return Finding("resizing", kernel.is_built(), kernel.words())


def _engine(engine: Engine) -> Finding:
    if not engine.is_installed():
        return Finding(engine.format, False, f"{engine.module} runs it", _install(engine.extra))
    found = [f"{name} {number}" for name in engine.packages if (number := _version(name))]
    return Finding(engine.format, True, ", ".join(found) or engine.module)


def _extras() -> Iterator[Finding]:
    for extra, module, purpose in _EXTRAS:
        is_here = importlib.util.find_spec(module) is not None
        yield Finding(extra, is_here, purpose, "" if is_here else _install(extra))


def _registries() -> Iterator[Finding]:
    for row in PROVIDERS.values():
        if row.mode is not None:
            mode = row.mode()
            yield Finding(row.name, mode.online, f"{row.address()}: {mode.reason}")


def _folder(root: Path) -> Finding:
    existing = next(folder for folder in (root, *root.resolve().parents) if folder.exists())
    if os.access(existing, os.W_OK):
        return Finding("artifacts", True, f"{root}/ takes what is made; LIT_ARTIFACTS names another folder")
    return Finding("artifacts", False, f"{root}/ cannot be written to", "Set LIT_ARTIFACTS to a folder of your own")


def _install(extra: str) -> str:
    return f'pip install "lit-deploy[{extra}]"'


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
