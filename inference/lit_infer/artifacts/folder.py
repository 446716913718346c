"""The folder registry: what `local/...` references mean, and all that the offline mode needs.

    artifacts/registry/local/digits/digits-cnn/
        v0/version.json      type, digest, each file's sha256 and size, parents, metadata, when
        v0/files/model.ckpt
        v1/…
        aliases.json         {"aliases": {"best": "v1", "latest": "v1"}, "next": 2}

A version is staged in a hidden folder and renamed into place when it is whole, then the aliases are renamed
over; a kill at any point leaves the aliases on complete versions. Numbers are never given twice: `next`
outlives what it counted. `locks` says who waits for whom, `contents` how files are stored once, `gc` what goes.
"""

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lit_infer import files
from lit_infer.artifacts import contents, locks, records
from lit_infer.artifacts.records import Head, Record
from lit_infer.artifacts.reference import Reference, check_names, is_version
from lit_infer.artifacts.registry import Version
from lit_infer.errors import ArtifactError, NotFoundError, UsageError


class FolderRegistry:
    """A registry in a folder. Holds no state but the folder's path: any number of processes may use it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def resolve(self, reference: Reference) -> Version:
        """The facts of the version that a reference means now; NotFoundError names what exists."""
        while True:
            head = self._head(reference)
            try:
                number = self._number(reference, head)
            except NotFoundError:
                if self._head(reference) == head:
                    raise
                continue  # the alias has moved in the meantime, and gc has removed the version it meant before
            if version := self._version(reference, number, head):
                return version

    def fetch(self, reference: Reference) -> Path:
        """The folder of the version's files, after checking every one of them against the record.

        `gc` lets the version be for as long as this process lives.
        """
        while True:
            version = self.resolve(reference).reference
            folder = self.version_folder(version)
            if locks.lease(folder / records.VERSION_FILE):
                break
        record = self._record(version)
        if records.digest(record.files) != record.digest:
            raise ArtifactError(f"{folder / records.VERSION_FILE} was changed: its digest is not that of its files")
        contents.verify(folder / "files", record.files)
        return folder / "files"

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
        """Copy a folder's files into the next version and move `latest` and the aliases to it.

        Copied, not linked: training overwrites its checkpoints. If the latest version holds the same files,
        it stays the latest and no new one is made.
        """
        for alias in aliases:
            _check_alias(to.at(alias))
        home = self.home(to)
        with self.staging(home) as stage:
            copied = contents.take(folder, stage, known=home / contents.FOLDER)
            record = Record(
                type=type,
                digest=records.digest(copied),
                files=copied,
                parents=tuple(parents),
                metadata=dict(metadata or {}),
                created=datetime.now(UTC).isoformat(timespec="seconds"),
            )
            (stage / records.VERSION_FILE).write_text(records.encode(record))
            files.sync_tree(stage)
            with self.locked():
                return self._commit(stage, to, record.digest, aliases)

    def move_alias(self, alias: str, to: Reference) -> Version:
        """Make an alias mean the version that `to` means now."""
        _check_alias(to.at(alias))
        self._head(to)  # before the lock makes the registry's folder
        with self.locked():
            head = self._head(to)
            return self._moved(head, [alias], to, self._number(to, head))

    def versions(self, collection: Reference) -> list[Version]:
        """All versions of a collection, oldest first."""
        head = self._head(collection)
        numbered = (self._version(collection, f"v{number}", head) for number in numbers(self.home(collection)))
        return [version for version in numbered if version]

    def collections(self) -> list[str]:
        """All collections, as `entity/project/name`, sorted."""
        heads = self.root.glob(f"*/*/*/{records.HEAD_FILE}")
        return sorted(head.parent.relative_to(self.root).as_posix() for head in heads)

    def home(self, reference: Reference) -> Path:
        """The folder of a collection."""
        check_names(reference)
        return self.root / reference.entity / reference.project / reference.name

    def version_folder(self, pinned: Reference) -> Path:
        """The folder of a version: `files/` and its record."""
        return self.home(pinned) / pinned.alias

    def locked(self) -> AbstractContextManager[None]:
        """Hold the registry alone: no version gets a number, no alias moves, and nothing is removed by anyone else."""
        return locks.exclusive(self.root / ".lock")

    def _commit(self, stage: Path, to: Reference, digest: str, aliases: Sequence[str]) -> Version:
        """Give the staged version its number and its aliases; the caller holds the registry."""
        home = self.home(to)
        head = self._head(to, missing_ok=True)
        number = self._same_as_latest(to, head, digest)
        if number is None:
            number = f"v{next_number(home, head)}"
            stage.rename(home / number)
            files.sync_folder(home)
        return self._moved(head, ["latest", *aliases], to, number)

    def _moved(self, head: Head, aliases: Sequence[str], to: Reference, number: str) -> Version:
        home = self.home(to)
        moved = {**head.aliases, **dict.fromkeys(aliases, number)}
        head = Head(aliases=moved, next=max(head.next, int(number[1:]) + 1))
        records.write(home / records.HEAD_FILE, head)
        version = self._version(to, number, head)
        if version is None:
            raise NotFoundError(f"{to.at(number)} was removed by hand while an alias was being moved to it")
        return version

    def _head(self, reference: Reference, *, missing_ok: bool = False) -> Head:
        path = self.home(reference) / records.HEAD_FILE
        if path.is_file():
            return records.read(path, Head)
        if missing_ok:
            return Head(aliases={}, next=0)
        known = self.collections()
        near = difflib.get_close_matches(reference.collection, known, n=3, cutoff=0.3) or known[:3]
        hint = f"It has {', '.join(near)}" if near else "It is empty: train a model first"
        raise NotFoundError(f"no {reference.collection} in the registry {self.root}. {hint}")

    def _number(self, reference: Reference, head: Head) -> str:
        number = reference.alias if is_version(reference.alias) else head.aliases.get(reference.alias)
        if number and (self.home(reference) / number).is_dir():
            return number
        known = [*head.aliases, *(f"v{number}" for number in numbers(self.home(reference)))]
        near = difflib.get_close_matches(reference.alias, known, n=len(known) or 1, cutoff=0.0)
        raise NotFoundError(f"{reference.collection} has no {reference.alias!r}; it has {', '.join(near[:8])}")

    def _record(self, pinned: Reference) -> Record:
        return records.read(self.version_folder(pinned) / records.VERSION_FILE, Record)

    def _version(self, reference: Reference, number: str, head: Head) -> Version | None:
        """A version's facts; None where gc has removed it since its number was read."""
        pinned = reference.at(number)
        try:
            record = self._record(pinned)
        except OSError:
            if self.version_folder(pinned).is_dir():
                raise
            return None
        return Version(
            reference=pinned,
            type=record.type,
            digest=record.digest,
            aliases=tuple(sorted(alias for alias, target in head.aliases.items() if target == number)),
            parents=record.parents,
            metadata=record.metadata,
            created=record.created,
            bytes=sum(file.bytes for file in record.files.values()),
        )

    def _same_as_latest(self, to: Reference, head: Head, digest: str) -> str | None:
        latest = head.aliases.get("latest")
        if not latest or not (self.home(to) / latest).is_dir():
            return None
        return latest if self._record(to.at(latest)).digest == digest else None

    @contextmanager
    def staging(self, home: Path) -> Iterator[Path]:
        """A staging folder that gc can tell from one whose writer is dead."""
        with ExitStack() as stack:
            with self.locked():  # gc must not see it before it is held
                stage = stack.enter_context(files.staging_folder(home))
                stack.enter_context(locks.alone(stage))
            yield stage


def numbers(home: Path) -> list[int]:
    """The numbers of the versions that lie in a collection's folder, in order."""
    with os.scandir(home) as entries:
        return sorted(int(entry.name[1:]) for entry in entries if is_version(entry.name) and entry.is_dir())


def next_number(home: Path, head: Head) -> int:
    """The next free number, also where a killed writer left a version that no alias names yet."""
    return max([head.next, *(number + 1 for number in numbers(home))])


def _check_alias(reference: Reference) -> None:
    check_names(reference)
    if is_version(reference.alias):
        raise UsageError(f"{reference.alias!r} cannot be an alias: versions are numbered by the registry")
