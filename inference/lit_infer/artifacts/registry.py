"""What every registry can do, and what a row of the table of registries says about one."""

from collections.abc import Callable, Mapping, Sequence
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
    """Versions are complete and never change; aliases move between them."""

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


@dataclass(frozen=True)
class Mode:
    """Whether a registry is used, and the reason in a few words."""

    online: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A row of the table: all that is known about one kind of registry."""

    name: str
    """What people call it."""
    summary: str
    """Which references are looked up there, in a sentence for help."""
    open: Callable[[Reference | None], Registry]
    """The registry for a reference; without one, for all that it has."""
    address: Callable[[], str]
    """Its name, and where it is now."""
    entity: str | None = None
    """References that begin with it are always looked up here."""
    mode: Callable[[], Mode] | None = None
    """Whether it takes the references that no name decides, and why. None: only those that begin with its entity."""
    is_fallback: bool = False
    """Whether it takes them where no other does."""
    variable: Callable[[str, str], str] | None = None
    """The environment variable that completes a short reference: of its `entity` or `project`, and its project."""
    is_page: Callable[[str], bool] | None = None
    """Whether a URL is that of an artifact's page there, rather than of a file."""
    read_page: Callable[[str], Reference] | None = None
    """The reference that a page's address means."""
