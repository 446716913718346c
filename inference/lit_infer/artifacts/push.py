"""Upload what was made offline: a version and all that it was made from, the oldest first."""

from collections.abc import Sequence
from dataclasses import dataclass

from lit_infer import progress
from lit_infer.artifacts.folder import FolderRegistry
from lit_infer.artifacts.reference import LOCAL, Reference, parse
from lit_infer.artifacts.registry import Registry, Version
from lit_infer.errors import NotFoundError, UsageError

DIGEST = "folder_registry_digest"  # in the metadata of what was pushed: W&B's own digests are computed differently
ORIGIN = "pushed_from"


@dataclass(frozen=True)
class Pushed:
    """One version and what it is called where it went."""

    source: Reference
    version: Version
    is_new: bool
    """False where the same files had been pushed before."""


def push(
    source: FolderRegistry,
    reference: Reference,
    *,
    to: Registry,
    where: tuple[str, str],
    aliases: Sequence[str] = (),
) -> list[Pushed]:
    """Publish a version into another registry, under the same name in the entity and project of `where`.

    Its parents go first, so that the lineage is there too; the version itself is the last of the list. Only the
    version gets the aliases. What was pushed before is recognised by its digest and not sent twice.
    """
    done: dict[Reference, Pushed] = {}
    _push(source, source.resolve(reference), to=to, where=where, done=done)
    last = list(done.values())[-1]
    version = last.version
    for alias in aliases:
        version = to.move_alias(alias, last.version.reference)
    return [*list(done.values())[:-1], Pushed(last.source, version, last.is_new)]


def _push(
    source: FolderRegistry,
    version: Version,
    *,
    to: Registry,
    where: tuple[str, str],
    done: dict[Reference, Pushed],
) -> Reference:
    """What a version is called in the other registry, after it and its parents went there."""
    if version.reference in done:
        return done[version.reference].version.reference
    parents = []
    for parent in map(parse, version.parents):
        try:
            found = source.resolve(parent)
        except NotFoundError as error:
            if parent.entity == LOCAL:
                raise NotFoundError(f"{version.reference} was made from {parent}, which is gone: {error}") from None
            parents.append(str(parent))  # it is online already
            continue
        if found.reference == version.reference:
            raise UsageError(f"{version.reference} lists itself as its parent")
        parents.append(str(_push(source, found, to=to, where=where, done=done)))
    done[version.reference] = _sent(source, version, to, Reference(*where, version.reference.name, "latest"), parents)
    pushed = done[version.reference]
    progress.note(f"{pushed.source} -> {pushed.version.reference}" + ("" if pushed.is_new else " (already there)"))
    return pushed.version.reference


def _sent(
    source: FolderRegistry, version: Version, to: Registry, collection: Reference, parents: Sequence[str]
) -> Pushed:
    if earlier := _earlier(to, collection, version.digest):
        return Pushed(version.reference, earlier, is_new=False)
    metadata = {**version.metadata, DIGEST: version.digest, ORIGIN: str(version.reference)}
    folder = source.fetch(version.reference)
    sent = to.publish(folder, collection, type=version.type, metadata=metadata, parents=parents)
    return Pushed(version.reference, sent, is_new=True)


def _earlier(to: Registry, collection: Reference, digest: str) -> Version | None:
    """The version that has these files already: usually the latest, which takes one small request."""
    try:
        latest = to.resolve(collection)
        versions = [latest] if latest.metadata.get(DIGEST) == digest else to.versions(collection)
    except NotFoundError:
        return None
    return next((version for version in reversed(versions) if version.metadata.get(DIGEST) == digest), None)
