"""The images that int8 is calibrated on: some of a folder or of the training split, as the runtime prepares them."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lit_export import data
from lit_infer.errors import GateError, InputError
from lit_infer.folder import list_images
from lit_infer.hardware import DEFAULT_BATCH_SIZE
from lit_infer.images import ImageInput, Pixels

IMAGES = 256
"""More images hardly change the ranges, and each costs a run of the float graph."""


def images(source: Path, *, count: int = IMAGES, trust: Collection[str] = ()) -> Iterable[ImageInput]:
    """At most `count` images below a folder, or of a lit-train configuration's training split.

    Drawn at random, by a fixed seed: folders are sorted by class, so the first ones would be of a class or two.
    """
    if data.is_configuration(source):
        stored = data.stored(source, "train", trust=trust)
        indices = list(stored.indices)
        return (image for image, _ in replace(stored, indices=[indices[i] for i in _draw(len(indices), count)]))
    paths = list_images([source])
    return [paths[i] for i in _draw(len(paths), count)]


def batches(
    items: Iterable[ImageInput], prepare: Callable[[ImageInput], Pixels], *, batch_size: int = DEFAULT_BATCH_SIZE
) -> Iterator[NDArray[np.uint8]]:
    """Batches uint8 [batch, height, width, channels], one at a time. `prepare` is the float graph's predictor's."""
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
