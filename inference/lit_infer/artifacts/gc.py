"""`gc`: remove from the folder registry what nothing refers to.

A version stays if it has an alias, if a version that stays was made from it, or if a process is using it.
What killed writers left behind goes too. A damaged record stops everything, since nobody knows what it refers to.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lit_infer.artifacts import contents, locks, records
from lit_infer.artifacts.folder import FolderRegistry, next_number, numbers
from lit_infer.artifacts.records import Head
from lit_infer.artifacts.reference import parse
from lit_infer.artifacts.registry import Version
from lit_infer.errors import UsageError

_TRASH = ".trash-"  # a version is renamed to this before its files go, so that a kill leaves no half version


@dataclass(frozen=True)
class Collected:
    """What gc removed, or would remove."""

    removed: tuple[Version, ...]
    in_use: tuple[Version, ...]
    """Nothing refers to these, but a running process has fetched them."""
    leftovers: int
    """Folders and files of writers that were killed."""
    bytes: int
    """What the disk gets back from the versions; files that a staying version shares are not in it."""


def collect(registry: FolderRegistry, *, dry_run: bool = False) -> Collected:
    """Remove every version that nothing refers to, and what killed writers left; `dry_run` only looks."""
    if not registry.root.is_dir():
        return Collected((), (), leftovers=0, bytes=0)
    with registry.locked():
        versions = _all_versions(registry)
        sizes = {name: _sizes(registry, version) for name, version in versions.items()}
        homes = [path for path in sorted(registry.root.glob("*/*/*")) if path.is_dir()]
        leftovers = [path for home in homes for path in _leftovers(home)]
        if not dry_run:
            for home in homes:
                _remember_number(home)
            for path in leftovers:
                _discard(path)
        removed, in_use = _remove_unreferenced(registry, versions, dry_run=dry_run)
        if not dry_run:
            for home in homes:
                _drop_unlinked(home / contents.FOLDER)
    staying = {inode for name in versions if name not in removed for inode in sizes[name]}
    freed = {inode: size for name in removed for inode, size in sizes[name].items() if inode not in staying}
    return Collected(
        removed=tuple(version for name, version in versions.items() if name in removed),
        in_use=tuple(version for name, version in versions.items() if name in in_use),
        leftovers=len(leftovers),
        bytes=sum(freed.values()),
    )


def _remove_unreferenced(
    registry: FolderRegistry, versions: Mapping[str, Version], *, dry_run: bool
) -> tuple[set[str], set[str]]:
    """The names of the versions that went, and of those that stay only because they are in use."""
    parents = {name: _parents(registry, version) for name, version in versions.items()}
    stays = _ancestry((name for name, version in versions.items() if version.aliases), parents)
    removed, in_use = set(), set()
    for name in _children_first(parents):
        if name in stays:
            continue
        if _take_away(registry, versions[name], dry_run=dry_run):
            removed.add(name)
        else:
            in_use.add(name)
            stays |= _ancestry([name], parents)
    return removed, in_use


def _all_versions(registry: FolderRegistry) -> dict[str, Version]:
    found = (version for name in registry.collections() for version in registry.versions(parse(name)))
    return {str(version.reference): version for version in found}


def _parents(registry: FolderRegistry, version: Version) -> set[str]:
    """The parents that this registry holds, pinned."""
    found = set()
    for parent in version.parents:
        try:
            found.add(str(registry.resolve(parse(parent)).reference))
        except UsageError:  # of another registry, or gone
            continue
    return found


def _ancestry(names: Iterable[str], parents: Mapping[str, set[str]]) -> set[str]:
    """These versions and all that they were made from."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += parents[name]
    return found


def _children_first(parents: Mapping[str, set[str]]) -> list[str]:
    """Every version before those it was made from: one that is in use keeps them."""
    return sorted(parents, key=lambda name: len(_ancestry([name], parents)), reverse=True)


def _sizes(registry: FolderRegistry, version: Version) -> dict[tuple[int, int], int]:
    """The size of each file of a version, under what two links to one file have in common."""
    paths = (registry.version_folder(version.reference) / "files").rglob("*")
    found = (path.lstat() for path in paths if not path.is_dir())
    return {(file.st_dev, file.st_ino): file.st_size for file in found}


def _take_away(registry: FolderRegistry, version: Version, *, dry_run: bool) -> bool:
    """Remove a version, or only say whether it could be: not while a process holds it."""
    folder = registry.version_folder(version.reference)
    with locks.alone(folder / records.VERSION_FILE) as free:
        if free and not dry_run:
            _discard(folder)
        return free


def _discard(path: Path) -> None:
    if not path.is_dir():
        path.unlink()
        return
    trash = path if path.name.startswith(_TRASH) else path.rename(path.with_name(f"{_TRASH}{path.name}"))
    shutil.rmtree(trash)


def _leftovers(home: Path) -> Iterator[Path]:
    """What writers and collectors left that were killed; the caller holds the registry, so none of them is running."""
    yield from home.glob(f"{_TRASH}*")
    yield from home.glob(f".{records.HEAD_FILE}.*")
    if not (home / records.HEAD_FILE).is_file():  # its first writer died before any alias named it: nobody has seen it
        yield from (home / f"v{number}" for number in numbers(home))
    for path in home.glob(".staging-*"):
        with locks.alone(path) as free:
            if free:
                yield path


def _remember_number(home: Path) -> None:
    """Write down the next number before the versions go from which it could be counted."""
    if not (home / records.HEAD_FILE).is_file():
        return
    head = records.read(home / records.HEAD_FILE, Head)
    if (number := next_number(home, head)) != head.next:
        records.write(home / records.HEAD_FILE, Head(aliases=head.aliases, next=number))


def _drop_unlinked(known: Path) -> None:
    """Remove the known files that no version links to any more."""
    for path in known.glob("*"):
        if path.stat().st_nlink == 1:
            path.unlink()
