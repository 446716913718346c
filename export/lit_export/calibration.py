"""What int8 is calibrated on: images as the runtime prepares them, of a folder or of a training split; real tensors."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_export import data
from lit_export.tasks import Target
from lit_infer.errors import GateError, InputError
from lit_infer.folder import list_images
from lit_infer.hardware import DEFAULT_BATCH_SIZE
from lit_infer.images import SUFFIXES, ImageInput, Pixels
from lit_infer.tensors import Arrays

IMAGES = 256
"""More images, or other inputs, hardly change the ranges, and each costs a run of the float graph."""


def images(
    source: Path, *, count: int = IMAGES, trust: Collection[str] = (), suffixes: frozenset[str] = SUFFIXES
) -> Iterable[ImageInput]:
    """At most `count` images below a folder, or of a lit-train configuration's training split.

    Drawn at random, by a fixed seed: folders are sorted by class, so the first ones would be of a class or two.
    """
    if data.is_configuration(source):
        stored = data.stored(source, "train", trust=trust)
        indices = list(stored.indices)
        return (image for image, _ in replace(stored, indices=[indices[i] for i in _draw(len(indices), count)]))
    paths = list_images([source], suffixes)
    return [paths[i] for i in _draw(len(paths), count)]


def tensors(target: Target) -> Iterator[Arrays]:
    """Batches of the real inputs of a tensor model, drawn from all that were given."""
    generator = np.random.default_rng(2)
    for _ in range(IMAGES // DEFAULT_BATCH_SIZE):
        yield target.noise(generator, DEFAULT_BATCH_SIZE)


def batches(
    items: Iterable[ImageInput], prepare: Callable[[ImageInput], Pixels], *, batch_size: int = DEFAULT_BATCH_SIZE
) -> Iterator[NDArray[Any]]:
    """Batches [batch, height, width, channels], one at a time. `prepare` is the float graph's predictor's."""
    source = iter(items)
    while batch := list(islice(source, batch_size)):
        yield np.stack([_prepared(prepare, item) for item in batch])


def _draw(available: int, count: int) -> list[int]:
    order: list[int] = np.random.default_rng(0).permutation(available).tolist()
    return order[:count]


def _prepared(prepare: Callable[[ImageInput], Pixels], item: ImageInput) -> Pixels:
    try:
        return prepare(item)
    except InputError as error:
        raise GateError(f"a calibration image cannot be used: {item!s}: {error}") from None
