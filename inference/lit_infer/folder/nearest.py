"""`--nearest FOLDER|FILE`: for each image the most similar of others, by the cosine of their embeddings.

The others are the images below a folder, which are embedded first, or the vectors of an earlier run (`--embeddings`),
whose rows beside them have the names. Vectors stay on disk, and are looked through block by block.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lit_infer import progress
from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder import listing
from lit_infer.folder.partial import Growing
from lit_infer.folder.vectors import header
from lit_infer.images import suffixes
from lit_infer.images.limits import Limits
from lit_infer.predictions import Prediction
from lit_infer.predictor import Predictor
from lit_infer.tasks import Row

T = TypeVar("T")
_BLOCK = 8192
"""Vectors that are compared at once."""
_QUERIES = 64


@dataclass(frozen=True)
class Gallery:
    """What is searched."""

    names: Sequence[str]
    vectors: NDArray[Any]
    """[count, size]; NaN for an image that could not be read."""

    def nearest(self, queries: NDArray[np.float32], count: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Of each query [n, size] the rows and similarities of the most similar, best first: [n, count or fewer]."""
        wanted = min(count, len(self.vectors))
        rows = np.zeros((len(queries), 0), np.intp)
        best = np.zeros((len(queries), 0), np.float32)
        directions = _directions(queries)
        for start in range(0, len(self.vectors), _BLOCK):
            block = np.asarray(self.vectors[start : start + _BLOCK], np.float32)
            found = np.nan_to_num(directions @ _directions(block).T, nan=-np.inf)
            rows = np.concatenate([rows, np.broadcast_to(np.arange(start, start + len(block)), found.shape)], 1)
            best = np.concatenate([best, found], 1)
            order = np.argsort(-best, axis=1, kind="stable")[:, :wanted]
            rows, best = np.take_along_axis(rows, order, 1), np.take_along_axis(best, order, 1)
        return rows, best


def _directions(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors of length 1; without any direction they stay 0, and are similar to none."""
    lengths: NDArray[np.float32] = np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    found: NDArray[np.float32] = np.divide(vectors, lengths, dtype=np.float32)
    return found


@contextmanager
def opened(source: Path | None, predictor: Predictor, limits: Limits) -> Iterator[Gallery | None]:
    """What `--nearest` names; None for none."""
    if source is None:
        yield None
    elif source.is_dir():
        with tempfile.TemporaryDirectory(prefix="lit-nearest-") as folder:
            yield _embedded(source, predictor, limits, Path(folder))
    else:
        yield _stored(source, predictor)


def stamp(source: Path | None, predictor: Predictor) -> str | None:
    """Changes with what is searched: the size and the date of each file."""
    if source is None:
        return None
    if not source.exists():
        raise NotFoundError(f"--nearest {source}: no such file or folder")
    digest = hashlib.blake2b(digest_size=16)
    for path in _files(source, predictor) if source.is_dir() else [source]:
        status = os.stat(path)
        digest.update(b"%s\0%d %d\0" % (os.fsencode(path), status.st_size, status.st_mtime_ns))
    return digest.hexdigest()


def beside(
    found: Iterable[tuple[T, Prediction]], gallery: Gallery | None, count: int
) -> Iterator[tuple[T, Prediction, list[Row]]]:
    """Each prediction with the most similar of the gallery, several at a time; an image is not similar to itself."""
    source = iter(found)
    while some := list(islice(source, 1 if gallery is None else _QUERIES)):
        near: list[list[Row]] = [[] for _ in some]
        if gallery is not None:
            near = _near(gallery, [prediction for _, prediction in some], count)
        yield from ((item, prediction, own) for (item, prediction), own in zip(some, near, strict=True))


def _near(gallery: Gallery, predictions: Sequence[Prediction], count: int) -> list[list[Row]]:
    near: list[list[Row]] = [[] for _ in predictions]
    there = [index for index, one in enumerate(predictions) if one.embedding is not None]
    if not there:
        return near
    queries = np.stack([np.asarray(predictions[index].embedding, np.float32).ravel() for index in there])
    for index, rows, similarities in zip(there, *gallery.nearest(queries, count + 1), strict=True):
        own = os.path.abspath(predictions[index].path or "")
        pairs = [
            {"path": gallery.names[row], "similarity": float(similarity)}
            for row, similarity in zip(rows.tolist(), similarities, strict=True)
            if np.isfinite(similarity) and os.path.abspath(gallery.names[row]) != own
        ]
        near[index] = pairs[:count]
    return near


def _files(source: Path, predictor: Predictor) -> list[Path]:
    return listing.list_images([source], suffixes(predictor.manifest.preprocess))


def _embedded(source: Path, predictor: Predictor, limits: Limits, folder: Path) -> Gallery:
    """The images below a folder; those that cannot be read are left out, and counted."""
    paths = _files(source, predictor)
    progress.note(f"embed the {len(paths):,} images of {source}")
    grown, names, size = Growing(folder / "vectors.npy"), [], 0
    for prediction in predictor.stream(paths, limits=limits):
        if prediction.embedding is not None:
            names.append(str(prediction.path))
            vector = np.asarray(prediction.embedding, np.float32).ravel()
            if not size:
                size = len(vector)
                grown.add(header(0, size))
            grown.add(vector.tobytes())
    grown.close()
    if not names:
        raise UsageError(f"--nearest {source}: none of its images can be read")
    if len(names) < len(paths):
        progress.note(f"warning: {len(paths) - len(names):,} images of {source} cannot be read, and are left out")
    mapped: NDArray[Any] = np.memmap(grown.path, np.float32, "r", offset=len(header(0, size)), shape=(len(names), size))
    return Gallery(names, mapped)


def _stored(source: Path, predictor: Predictor) -> Gallery:
    """The vectors of a file, as --embeddings writes them."""
    if source.suffix != ".npy":
        raise UsageError(f"--nearest {source}: give a folder of images, or an .npy file, as --embeddings writes it")
    try:
        vectors = np.load(source, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"--nearest {source} cannot be read: {error}") from None
    sizes = [side for side in predictor.manifest.outputs[0].shape[1:] if isinstance(side, int)]
    size = int(np.prod(sizes))
    if vectors.ndim != 2 or vectors.dtype.kind != "f" or vectors.shape[1] != size:
        raise UsageError(
            f"--nearest {source} has {vectors.dtype} {list(vectors.shape)}, and {predictor.manifest.name} gives "
            f"vectors of {size} numbers: make it again with this model"
        )
    return Gallery(_names(source, len(vectors)), vectors)


def _names(source: Path, count: int) -> list[str]:
    """Those in the rows of the same run, `out.jsonl` beside `out.npy`; without such a file the rows' numbers."""
    rows = source.with_suffix(".jsonl")
    if not rows.is_file():
        progress.note(f"warning: there is no {rows} with the names of the vectors: they are numbered")
        return [f"{source.name} row {index}" for index in range(count)]
    try:
        with rows.open(encoding="utf-8") as file:
            names = [str(json.loads(line)["path"]) for line in file]
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{rows} holds no rows of lit-infer: it should have the names of {source.name}") from None
    if len(names) != count:
        raise UsageError(
            f"{rows} has {len(names):,} rows, and {source.name} {count:,} vectors: they are not of one run"
        )
    return names
