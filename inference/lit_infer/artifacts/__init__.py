"""Artifacts by name: resolve, fetch, publish, move an alias, list.

`local/...` references, and every reference while offline, mean the folder registry under `artifacts/registry/`
(`$LIT_ARTIFACTS` names another place for `artifacts/`). `Registry` is what W&B will implement beside it.
"""

import os
from pathlib import Path

from lit_infer.artifacts.folder import FolderRegistry
from lit_infer.artifacts.reference import Reference, looks_like_reference, parse
from lit_infer.artifacts.registry import Registry, Version

__all__ = [
    "FolderRegistry",
    "Reference",
    "Registry",
    "Version",
    "artifacts_root",
    "looks_like_reference",
    "parse",
    "registry",
]


def artifacts_root() -> Path:
    """The folder for all that runs produce: `$LIT_ARTIFACTS`, else `artifacts` below the current folder."""
    return Path(os.environ.get("LIT_ARTIFACTS") or "artifacts")


def registry() -> Registry:
    """The registry that references are looked up in."""
    return FolderRegistry(artifacts_root() / "registry")
