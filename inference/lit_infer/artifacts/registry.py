"""What a registry can do, whoever keeps it: a folder, or W&B's servers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lit_infer.artifacts.reference import Reference


@dataclass(frozen=True)
class Version:
    """One version of an artifact, as the registry knows it."""

    reference: Reference
    """With the version (`v3`) as its alias, so that it can never mean anything else."""
    type: str
    digest: str
    """Over the files' names and digests: two versions with equal files have equal digests."""
    aliases: tuple[str, ...]
    parents: tuple[str, ...]
    """References of the versions this one was made from; with W&B only `resolve` and `publish` ask for them."""
    metadata: Mapping[str, Any]
    created: str
    """ISO 8601, UTC."""
    bytes: int


class Registry(Protocol):
    """Versions are whole and never change; aliases move between them."""

    def resolve(self, reference: Reference) -> Version:
        """The facts of the version that a reference means now."""

    def fetch(self, reference: Reference) -> Path:
        """A folder with the version's files, each verified against its digest."""

    def publish(
        self,
        folder: Path,
        to: Reference,
        *,
        type: str,  # noqa: A002 - W&B's word for it
        aliases: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        parents: Sequence[str] = (),
    ) -> Version:
        """Keep a copy of the folder's files as the next version; the same files again give the same version."""

    def move_alias(self, alias: str, to: Reference) -> Version:
        """Make an alias mean another version."""

    def versions(self, collection: Reference) -> list[Version]:
        """All versions of a collection, oldest first."""

    def collections(self) -> list[str]:
        """All collections, as `entity/project/name`, sorted."""
