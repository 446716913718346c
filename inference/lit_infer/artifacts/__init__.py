"""Artifacts by name: resolve, fetch, publish, move an alias, list.

`local/...` references, and every reference while offline, mean the folder registry under `artifacts/registry/`
(`$LIT_ARTIFACTS` names another place for `artifacts/`); every other reference means W&B. `why` says which, in a line.
"""

import os
from pathlib import Path

from lit_infer import progress
from lit_infer.artifacts.folder import FolderRegistry
from lit_infer.artifacts.mode import base_url, wandb_mode
from lit_infer.artifacts.reference import Reference, looks_like_reference, parse
from lit_infer.artifacts.registry import Registry, Version
from lit_infer.artifacts.wandb import WandbRegistry

__all__ = [
    "FolderRegistry",
    "Reference",
    "Registry",
    "Version",
    "WandbRegistry",
    "artifacts_root",
    "folder_registry",
    "looks_like_reference",
    "parse",
    "registry",
    "why",
]


def artifacts_root() -> Path:
    """The folder for all that runs produce: `$LIT_ARTIFACTS`, else `artifacts` below the current folder."""
    return Path(os.environ.get("LIT_ARTIFACTS") or "artifacts")


def registry(reference: Reference | None = None) -> Registry:
    """The registry that a reference is looked up in; without one, the registry that names without `local/` mean.

    Whoever listens (`lit_infer.progress`) is told which it is.
    """
    progress.note_once(f"registry: {why(reference)}")
    if _is_local(reference):
        return folder_registry()
    return WandbRegistry(f"{reference.entity}/{reference.project}" if reference else None)


def folder_registry() -> FolderRegistry:
    """The folder registry, which is there online too."""
    return FolderRegistry(artifacts_root() / "registry")


def why(reference: Reference | None = None) -> str:
    """Which registry that is, and the reason, in one line."""
    if not _is_local(reference):
        return f"W&B at {base_url()}: {wandb_mode().reason}"
    reason = wandb_mode().reason if reference is None or reference.entity != "local" else "the name begins with local/"
    return f"folder registry {folder_registry().root}: {reason}"


def _is_local(reference: Reference | None) -> bool:
    return not wandb_mode().online or (reference is not None and reference.entity == "local")
