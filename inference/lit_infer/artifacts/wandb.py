"""W&B as the registry: what every reference means while online, unless it begins with `local/`."""

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from functools import cache as once
from pathlib import Path
from typing import Any

from lit_infer import progress
from lit_infer.artifacts import cache
from lit_infer.artifacts.reference import LOCAL, Reference, check_names, is_version, parse
from lit_infer.artifacts.registry import Version
from lit_infer.artifacts.wandb_downloads import GivenUpError
from lit_infer.artifacts.wandb_errors import answer_s, explained, no_key, no_project
from lit_infer.artifacts.wandb_files import fetch_files
from lit_infer.artifacts.wandb_mode import base_url, credentials
from lit_infer.artifacts.wandb_run import log_artifact
from lit_infer.errors import ArtifactError, NotFoundError, UsageError, require

_W_AND_BS_OWN = ("job", "code", "run_table", "wandb-history")  # types that W&B makes by itself


class WandbRegistry:
    """A W&B server's artifacts. `within` is `entity/project`, for `collections()`."""

    def __init__(self, within: str | None = None) -> None:
        self._within = within

    def resolve(self, reference: Reference) -> Version:
        """The facts of the version that a reference means now; NotFoundError names what exists."""
        artifact = self._artifact(reference)
        with explained(str(reference)):
            return _version(artifact, parents=_parents(artifact))

    def fetch(self, reference: Reference) -> Path:
        """The folder of the version's files, every one verified; downloaded if it is not in the cache."""
        artifact = self._artifact(reference)
        pinned, digest = _pinned(artifact), artifact.digest
        if not re.fullmatch("[0-9a-f]{16,128}", digest):
            raise ArtifactError(f"{pinned}: what W&B gives as its digest, {digest!r}, is not one")
        found = cache.lookup(digest)
        if found is not None:
            return found
        try:
            return self._download(artifact, pinned, digest)
        except GivenUpError:
            raise
        except ArtifactError:  # damaged bytes, an address that has expired: once more, from nothing
            return self._download(self._artifact(pinned), pinned, digest)

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
        """Log the folder's files in a run of job type `export` that uses the parents.

        The same files as the latest version's give that version again.
        """
        for alias in ("latest", *aliases):
            _check_alias(to.at(alias))
        used = [parse(parent) for parent in parents]
        for parent in used:
            if parent.entity == LOCAL:
                raise UsageError(f"{parent} is only in the folder registry. Push it first: lit-registry push {parent}")
        self._connect()
        version = log_artifact(
            folder, to, type=type, aliases=aliases, metadata=metadata or {}, parents=[str(parent) for parent in used]
        )
        return self.resolve(to.at(version))

    def move_alias(self, alias: str, to: Reference) -> Version:
        """Make an alias mean the version that `to` means now."""
        _check_alias(to.at(alias))
        if alias == "latest":
            raise UsageError("'latest' cannot be moved: W&B gives it to each new version")
        artifact = self._artifact(to)
        if alias not in artifact.aliases:
            with explained(str(to)):
                artifact.aliases.append(alias)
                artifact.save()
        moved = self.resolve(to.at(alias))
        if moved.reference != _pinned(artifact):
            raise ArtifactError(f"{to.at(alias)} still means {moved.reference.alias}; another process moved it")
        return moved

    def versions(self, collection: Reference) -> list[Version]:
        """All versions of a collection, oldest first; without their parents, which `resolve` asks for."""
        kind = self._kinds(_project(collection)).get(collection.name)
        if kind is None:
            raise self._missing(collection)
        with explained(collection.collection):
            found = [_version(artifact) for artifact in self._api.artifacts(kind, collection.collection, per_page=200)]
        return sorted(found, key=lambda version: int(version.reference.alias[1:]))

    def collections(self) -> list[str]:
        """All collections of the project, as `entity/project/name`, sorted."""
        within = self._within or self._usual_project()
        return sorted(f"{within}/{name}" for name in self._kinds(within))

    @property
    def _api(self) -> Any:
        if credentials() is None:
            raise no_key()  # wandb would ask for one at the terminal
        return _connected(base_url(), os.environ.get("WANDB_API_KEY"))

    def _connect(self) -> None:
        """A wrong key or a server that does not answer shows here in seconds; a run would take minutes to say so."""
        self._api  # noqa: B018 - made and checked by being asked for

    def _kinds(self, project: str) -> dict[str, str]:
        """The type of each collection of a project, by name."""
        api = self._api
        with explained(project):
            try:
                kinds = [kind for kind in api.artifact_types(project) if kind.name not in _W_AND_BS_OWN]
            except ValueError as error:
                if str(error).startswith("Unable to parse 'ArtifactTypes'"):  # an empty answer
                    raise no_project(project) from None
                raise
            return {collection.name: kind.name for kind in kinds for collection in kind.collections()}

    def _artifact(self, reference: Reference) -> Any:
        check_names(reference)
        api = self._api
        try:
            with explained(str(reference)):
                return api.artifact(str(reference))
        except ArtifactError as error:
            if "artifact membership" not in str(error):
                raise
        raise self._missing(reference)

    def _missing(self, reference: Reference) -> NotFoundError:
        """What exists in place of what was asked for, the nearest first."""
        known = list(self._kinds(_project(reference)))
        if reference.name not in known:
            near = difflib.get_close_matches(reference.name, known, n=3, cutoff=0.3) or sorted(known)[:3]
            hint = f"It has {', '.join(near)}" if near else "It is empty"
            return NotFoundError(f"no {reference.name} in W&B's {_project(reference)}. {hint}")
        aliases = [name for version in self.versions(reference) for name in (*version.aliases, version.reference.alias)]
        near = difflib.get_close_matches(reference.alias, aliases, n=len(aliases) or 1, cutoff=0.0)
        return NotFoundError(f"{reference.collection} has no {reference.alias!r}; it has {', '.join(near[:8])}")

    def _download(self, artifact: Any, pinned: Reference, digest: str) -> Path:
        with cache.staging() as staged, progress.transfer(f"download {pinned}") as told:
            fetch_files(artifact, staged / "files", digest=digest, subject=str(pinned), told=told)
            return cache.add(staged, digest)

    def _usual_project(self) -> str:
        project = os.environ.get("WANDB_PROJECT")
        if not project:
            raise UsageError("which W&B project? Name it as entity/project, or set WANDB_PROJECT")
        return f"{os.environ.get('WANDB_ENTITY') or self._api.default_entity}/{project}"


@once
def _connected(_url: str, _key: str | None) -> Any:
    """The client, which logs in with three requests when it is made: once in a process for a server and a key."""
    os.environ.setdefault("WANDB_SILENT", "true")  # our own lines say the same in fewer words
    wandb = require("wandb", extra="wandb", purpose="A reference to W&B")
    with explained("W&B"):
        return wandb.Api(timeout=answer_s())


def _project(reference: Reference) -> str:
    return f"{reference.entity}/{reference.project}"


def _check_alias(reference: Reference) -> None:
    check_names(reference)
    if is_version(reference.alias):
        raise UsageError(f"{reference.alias!r} cannot be an alias: versions are numbered by W&B")


def _pinned(artifact: Any) -> Reference:
    name = artifact.name.partition(":")[0]
    return Reference(artifact.entity, artifact.project, name, artifact.version)


def _version(artifact: Any, *, parents: Sequence[str] = ()) -> Version:
    return Version(
        reference=_pinned(artifact),
        type=artifact.type,
        digest=artifact.digest,
        aliases=tuple(sorted(artifact.aliases)),
        parents=tuple(parents),
        metadata=artifact.metadata,
        created=_utc(artifact.created_at),
        bytes=int(artifact.size),
    )


def _parents(artifact: Any) -> list[str]:
    """What the run that logged it had used."""
    run = artifact.logged_by()
    used = run.used_artifacts() if run is not None else ()
    return [parent.source_qualified_name for parent in used if parent.type not in _W_AND_BS_OWN]


def _utc(moment: str) -> str:
    """W&B's times are UTC, and say so or not."""
    return f"{moment.removesuffix('Z')}+00:00" if "+" not in moment else moment
