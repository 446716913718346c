"""The registries, as one table: a new one is a row and the file that has its `Registry`.

A reference that begins with a row's entity is looked up there. All others are looked up in the first registry that is
online, else in the fallback.
"""

from lit_infer.artifacts import wandb_pages
from lit_infer.artifacts.folder import FolderRegistry
from lit_infer.artifacts.reference import LOCAL, Reference
from lit_infer.artifacts.registry import Provider
from lit_infer.artifacts.root import artifacts_root
from lit_infer.artifacts.wandb import WandbRegistry
from lit_infer.artifacts.wandb_mode import base_url, wandb_mode


def folder_registry() -> FolderRegistry:
    """The folder registry, which is there online too."""
    return FolderRegistry(artifacts_root() / "registry")


def _wandb_registry(reference: Reference | None) -> WandbRegistry:
    return WandbRegistry(f"{reference.entity}/{reference.project}" if reference else None)


PROVIDERS: dict[str, Provider] = {
    "folder": Provider(
        name="the folder registry",
        summary="References that begin with local/, and all of them while offline, mean the folder registry below "
        "artifacts/.",
        open=lambda _: folder_registry(),
        address=lambda: f"folder registry {folder_registry().root}",
        entity=LOCAL,
        is_fallback=True,
    ),
    "wandb": Provider(
        name="W&B",
        summary="While online, the others mean W&B.",
        open=_wandb_registry,
        address=lambda: f"W&B at {base_url()}",
        mode=wandb_mode,
        variable=wandb_pages.variable,
        is_page=wandb_pages.is_page,
        read_page=wandb_pages.read_page,
    ),
}


def provider_for(reference: Reference | None = None) -> tuple[Provider, str]:
    """Where a reference is looked up, and why; without one, where those go that no name decides."""
    for row in PROVIDERS.values():
        if reference is not None and reference.entity == row.entity:
            return row, f"the name begins with {row.entity}/"
    modes = [(row, row.mode()) for row in PROVIDERS.values() if row.mode is not None]
    for row, mode in modes:
        if mode.online:
            return row, mode.reason
    fallback = next(row for row in PROVIDERS.values() if row.is_fallback)
    return fallback, "; ".join(mode.reason for _, mode in modes)
