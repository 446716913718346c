"""Read ahead: archives member by member, several URLs at a time. Local files stay paths."""

import hashlib
import os
import time
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lit_infer.errors import InputError
from lit_infer.folder.cloud import Remote
from lit_infer.folder.sources import Item

_READERS = 8
_AHEAD = 16


@dataclass(frozen=True, slots=True)
class LoadedItem:
    """An item as the predictor takes it. If reading failed, `image` is empty and `error` says why."""

    item: Item
    image: Path | bytes
    error: InputError | None = None
    read_ms: float = 0.0
    stamp: bytes = bytes(8)
    """Changes with a local file's size and date."""
    several: Mapping[str, Path] | None = None
    """Several images that are answered together, by name; `image` is then the first."""


def load(items: Iterator[Item], *, max_bytes: int) -> Iterator[LoadedItem]:
    """The items in order; those that are not local files are read."""
    with ThreadPoolExecutor(_READERS, thread_name_prefix="lit-read") as pool:
        ahead: deque[LoadedItem | Future[LoadedItem]] = deque()
        try:
            for item in items:
                remote = isinstance(item.content, Remote)
                ahead.append(pool.submit(_load, item, max_bytes) if remote else _load(item, max_bytes))
                while ahead and (len(ahead) > _AHEAD or isinstance(ahead[0], LoadedItem)):
                    yield _done(ahead.popleft())
            while ahead:
                yield _done(ahead.popleft())
        finally:
            for left in ahead:
                if isinstance(left, Future):
                    left.cancel()


def stamp(item: Item) -> bytes:
    """8 bytes that change with a local file's size or date; zeros if it is missing or the item is not a local file."""
    several = item.content.values() if isinstance(item.content, Mapping) else (item.content,)
    found = b""
    for content in several:
        if not isinstance(content, Path):
            return bytes(8)
        try:
            status = os.stat(content)
        except (OSError, ValueError):
            return bytes(8)
        found += b"%d %d" % (status.st_size, status.st_mtime_ns)
    return hashlib.blake2b(found, digest_size=8).digest()


def _done(loaded: LoadedItem | Future[LoadedItem]) -> LoadedItem:
    return loaded if isinstance(loaded, LoadedItem) else loaded.result()


def _load(item: Item, max_bytes: int) -> LoadedItem:
    if isinstance(item.content, Path):
        return LoadedItem(item, item.content, stamp=stamp(item))
    if isinstance(item.content, Mapping):
        first = next(iter(item.content.values()))
        return LoadedItem(item, first, stamp=stamp(item), several=item.content)
    if isinstance(item.content, InputError):
        return LoadedItem(item, b"", item.content)
    read = item.content.read if isinstance(item.content, Remote) else item.content
    started = time.perf_counter()
    try:
        data = read(max_bytes)
    except InputError as error:
        return LoadedItem(item, b"", error)
    return LoadedItem(item, data, read_ms=(time.perf_counter() - started) * 1000)
