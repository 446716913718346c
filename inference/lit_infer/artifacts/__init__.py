"""Artifacts by name: resolve, fetch, publish, move an alias, list.

`local/...` references, and every reference while offline, mean the folder registry under `artifacts/registry/`
(`$LIT_ARTIFACTS` names another folder than `artifacts/`); every other reference means W&B. `why` says which, in a line.
The table is `providers.PROVIDERS`.
"""

from lit_infer import progress
from lit_infer.artifacts.folder import FolderRegistry
from lit_infer.artifacts.providers import PROVIDERS, folder_registry, provider_for
from lit_infer.artifacts.reference import LOCAL, Reference, looks_like_reference, parse
from lit_infer.artifacts.registry import Provider, Registry, Version
from lit_infer.artifacts.root import artifacts_root
from lit_infer.artifacts.wandb import WandbRegistry

__all__ = [
    "LOCAL",
    "PROVIDERS",
    "FolderRegistry",
    "Provider",
    "Reference",
    "Registry",
    "Version",
    "WandbRegistry",
    "artifacts_root",
    "folder_registry",
    "looks_like_reference",
    "parse",
    "provider_for",
    "registry",
    "why",
]


def registry(reference: Reference | None = None) -> Registry:
    """The registry that a reference is looked up in; without one, the registry that names without `local/` mean.

    Whoever listens (`lit_infer.progress`) is told which it is.
    """
    progress.note_once(f"registry: {why(reference)}")
    provider, _ = provider_for(reference)
    return provider.open(reference)


def why(reference: Reference | None = None) -> str:
    """Which registry that is, and the reason, in one line."""
    provider, reason = provider_for(reference)
    return f"{provider.address()}: {reason}"
