"""The folder registry: what `local/...` references mean, and all that the offline mode needs.

    artifacts/registry/local/digits/digits-cnn/
        v0/version.json      type, digest, each file's sha256 and size, parents, metadata, when
        v0/files/model.ckpt
        v1/…
        aliases.json         {"aliases": {"best": "v1", "latest": "v1"}, "next": 2}

A version is staged in a hidden folder and renamed into place when it is whole, then the aliases are renamed
over; a kill at any point leaves the aliases on complete versions. Writers take turns by a lock on a file,
which the kernel drops with the process. Numbers are never given twice: `next` outlives what it counted.
"""

import difflib
import fcntl
import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from lit_infer import files
from lit_infer.artifacts.reference import Reference, check_names, is_version
from lit_infer.artifacts.registry import Version
from lit_infer.errors import ArtifactError, NotFoundError, UsageError

T = TypeVar("T")


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str
    bytes: int


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: str
    digest: str
    files: dict[str, _File]
    parents: tuple[str, ...]
    metadata: dict[str, Any]
    created: str


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    aliases: dict[str, str]
    next: int


class FolderRegistry:
    """A registry in a folder. Holds no state but the folder's path: any number of processes may use it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def resolve(self, reference: Reference) -> Version:
        """The facts of the version that a reference means now; NotFoundError names what exists."""
        head = self._head(reference)
        return self._version(reference, self._number(reference, head), head)

    def fetch(self, reference: Reference) -> Path:
        """The folder of the version's files, after checking every one of them against the record."""
        version = self.resolve(reference).reference
        folder = self._folder(version) / version.alias
        _verify(folder / "files", self._record(version))
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
        with self._locked(to) as home, files.staging_folder(home) as stage:
            contents = _copy(folder, stage / "files")
            record = _Record(
                type=type,
                digest=_digest(contents),
                files=contents,
                parents=tuple(parents),
                metadata=dict(metadata or {}),
                created=datetime.now(UTC).isoformat(timespec="seconds"),
            )
            head = self._head(to, missing_ok=True)
            number = self._same_as_latest(to, head, record.digest)
            if number is None:
                number = f"v{self._next(home, head)}"
                _write_json(stage / "version.json", record)
                files.sync_tree(stage)
                stage.rename(home / number)
                files.sync_folder(home)
            moved = {**head.aliases, **dict.fromkeys(("latest", *aliases), number)}
            head = _Head(aliases=moved, next=max(head.next, int(number[1:]) + 1))
            _write_json(home / "aliases.json", head)
        return self._version(to, number, head)

    def move_alias(self, alias: str, to: Reference) -> Version:
        """Make an alias mean the version that `to` means now."""
        _check_alias(to.at(alias))
        with self._locked(to) as home:
            head = self._head(to)
            number = self._number(to, head)
            head = _Head(aliases={**head.aliases, alias: number}, next=head.next)
            _write_json(home / "aliases.json", head)
        return self._version(to, number, head)

    def versions(self, collection: Reference) -> list[Version]:
        """All versions of a collection, oldest first."""
        head = self._head(collection)
        numbers = sorted(_numbers(self._folder(collection)))
        return [self._version(collection, f"v{number}", head) for number in numbers]

    def collections(self) -> list[str]:
        """All collections, as `entity/project/name`, sorted."""
        heads = self.root.glob("*/*/*/aliases.json")
        return sorted(head.parent.relative_to(self.root).as_posix() for head in heads)

    def _folder(self, reference: Reference) -> Path:
        check_names(reference)
        return self.root / reference.entity / reference.project / reference.name

    def _head(self, reference: Reference, *, missing_ok: bool = False) -> _Head:
        path = self._folder(reference) / "aliases.json"
        if path.is_file():
            return _read_json(path, _Head)
        if missing_ok:
            return _Head(aliases={}, next=0)
        known = self.collections()
        near = difflib.get_close_matches(reference.collection, known, n=3, cutoff=0.3) or known[:3]
        hint = f"It has {', '.join(near)}" if near else "It is empty: train a model first"
        raise NotFoundError(f"no {reference.collection} in the registry {self.root}. {hint}")

    def _number(self, reference: Reference, head: _Head) -> str:
        number = reference.alias if is_version(reference.alias) else head.aliases.get(reference.alias)
        if number and (self._folder(reference) / number).is_dir():
            return number
        known = [*head.aliases, *(f"v{number}" for number in sorted(_numbers(self._folder(reference))))]
        near = difflib.get_close_matches(reference.alias, known, n=len(known) or 1, cutoff=0.0)
        raise NotFoundError(f"{reference.collection} has no {reference.alias!r}; it has {', '.join(near[:8])}")

    def _record(self, version: Reference) -> _Record:
        return _read_json(self._folder(version) / version.alias / "version.json", _Record)

    def _version(self, reference: Reference, number: str, head: _Head) -> Version:
        pinned = reference.at(number)
        record = self._record(pinned)
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

    def _same_as_latest(self, to: Reference, head: _Head, digest: str) -> str | None:
        latest = head.aliases.get("latest")
        if not latest or not (self._folder(to) / latest).is_dir():
            return None
        return latest if self._record(to.at(latest)).digest == digest else None

    def _next(self, home: Path, head: _Head) -> int:
        """The next free number, also where a killed writer left a version that no alias names yet."""
        return max([head.next, *(number + 1 for number in _numbers(home))])

    @contextmanager
    def _locked(self, reference: Reference) -> Iterator[Path]:
        home = self._folder(reference)
        home.mkdir(parents=True, exist_ok=True)
        with (home / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield home


def _check_alias(reference: Reference) -> None:
    check_names(reference)
    if is_version(reference.alias):
        raise UsageError(f"{reference.alias!r} cannot be an alias: versions are numbered by the registry")


def _numbers(home: Path) -> set[int]:
    return {int(path.name[1:]) for path in home.iterdir() if is_version(path.name) and path.is_dir()}


def _copy(source: Path, to: Path) -> dict[str, _File]:
    """Copy the regular files below a folder; their digests are those of the copies."""
    contents = {}
    for path in sorted(source.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise UsageError(f"{path} is not a regular file: an artifact holds only regular files")
        if path.is_file():
            name = path.relative_to(source).as_posix()
            copied = to / name
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copied)
            contents[name] = _File(sha256=files.sha256(copied), bytes=copied.stat().st_size)
    if not contents:
        raise UsageError(f"{source} holds no files to publish")
    return contents


def _digest(contents: Mapping[str, _File]) -> str:
    lines = "".join(f"{file.sha256}  {name}\n" for name, file in sorted(contents.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _verify(folder: Path, record: _Record) -> None:
    entries = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    found = {path.relative_to(folder).as_posix() for path in entries}
    if found != set(record.files):
        different = ", ".join(sorted(found ^ set(record.files)))
        raise ArtifactError(f"{folder}: files were added or removed since it was published: {different}")
    for name, file in record.files.items():
        path = folder / name
        if path.is_symlink() or path.stat().st_size != file.bytes or files.sha256(path) != file.sha256:
            raise ArtifactError(f"{path} was changed since it was published; publish it again")


def _read_json(path: Path, to: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=to)
    except FileNotFoundError:
        raise ArtifactError(f"{path} is missing: the registry was changed by hand") from None
    except msgspec.MsgspecError as error:
        raise ArtifactError(f"{path} is damaged: {error}") from None


def _write_json(path: Path, value: msgspec.Struct) -> None:
    with files.atomic_text(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=2).decode() + "\n")
