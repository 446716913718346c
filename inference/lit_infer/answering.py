"""One batch, from items to predictions: prepare each, run the graph, read its rows."""

import os
import time
from collections.abc import Iterable, Sequence
from typing import TypeGuard

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lit_infer import images
from lit_infer.engines import Run
from lit_infer.errors import InputError, UsageError
from lit_infer.images import ImageInput, Pixels
from lit_infer.images import steps as transforms
from lit_infer.images.limits import Limits
from lit_infer.manifest import Manifest, Step
from lit_infer.predictions import Choice, Prediction, Timings, batch_choices

_NO_TIME = (0.0, 0.0, 0.0)
_Answered = tuple[Choice, ...] | NDArray[np.float32]


class Ask(msgspec.Struct, frozen=True, gc=False):
    """What is wanted of an item."""

    top_k: int
    timings: bool
    limits: Limits


class Prepared(msgspec.Struct, frozen=True, gc=False):
    """An image as the graph takes it, and the milliseconds that reading, decoding and resizing it took."""

    pixels: Pixels
    took: tuple[float, float, float]


class Recipe(msgspec.Struct, frozen=True):
    """What a manifest says of every image and every batch, worked out once."""

    steps: tuple[Step, ...]
    shape: tuple[int, int, int]
    batch: int | None
    """The only number of images that the graph takes; None: any."""
    is_embedding: bool
    labels: tuple[str, ...] | None
    keeps: bool
    """Whether the steps leave an image of `shape` as it is."""

    def is_met_by(self, item: ImageInput) -> TypeGuard[Pixels]:
        """Whether the item is what `prepare` would make of it."""
        return self.keeps and isinstance(item, np.ndarray) and item.shape == self.shape and item.dtype == np.uint8


def recipe(manifest: Manifest) -> Recipe:
    """Raises UsageError for a model whose task is not about images."""
    if manifest.task == "tensor":
        raise UsageError(f"{manifest.name} is for task tensor: use Predictor.run")
    steps, (height, width, _) = manifest.preprocess, manifest.image_shape
    return Recipe(
        steps=steps,
        shape=manifest.image_shape,
        batch=static_batch(manifest),
        is_embedding=manifest.task == "image-embedding",
        labels=manifest.labels,
        keeps=transforms.keep(steps, width=width, height=height),
    )


def static_batch(manifest: Manifest) -> int | None:
    """The batch that the graph was exported for; None: any."""
    first = manifest.inputs[0].shape[0] if manifest.inputs and manifest.inputs[0].shape else None
    return first if isinstance(first, int) else None


def many(items: Iterable[ImageInput]) -> Iterable[ImageInput]:
    """The items, unless they are one item."""
    if isinstance(items, str | bytes | os.PathLike | Image.Image):
        raise UsageError("predict takes a list of items; put the one item in brackets")
    return items


def held_bytes(item: ImageInput) -> int:
    """What an item that waits holds in memory."""
    if isinstance(item, np.ndarray):
        return item.nbytes
    if isinstance(item, bytes):
        return len(item)
    return item.width * item.height * len(item.getbands()) if isinstance(item, Image.Image) else 0


def prepare(item: ImageInput, to: Recipe, limits: Limits) -> Prepared | InputError:
    """One item, prepared, or what is wrong with it."""
    try:
        if to.is_met_by(item):
            limits.check_pixels(to.shape[1], to.shape[0])
            return Prepared(item, _NO_TIME)
        pixels, took = images.prepare_timed(item, steps=to.steps, channels=to.shape[2], limits=limits)
    except InputError as error:
        return error
    if pixels.shape != to.shape:
        found, wanted = (f"{height} x {width}" for height, width, _ in (pixels.shape, to.shape))
        return InputError(f"{found} pixels after preprocessing; the model takes {wanted}", code="bad_shape")
    return Prepared(pixels, took)


def answer(
    items: Sequence[ImageInput],
    prepared: Sequence[Prepared | InputError],
    asks: Sequence[Ask],
    *,
    to: Recipe,
    run: Run,
) -> list[Prediction]:
    """The predictions of a batch, in its order."""
    started = time.perf_counter()
    rows = _rows(prepared, to, run)
    infer_ms = (time.perf_counter() - started) * 1e3 / max(1, len(items))
    found: Sequence[_Answered] = _embeddings(rows) if to.is_embedding else _choices(rows, asks, to)
    return [
        _prediction(item, one, answered, ask, infer_ms)
        for item, one, answered, ask in zip(items, prepared, found, asks, strict=True)
    ]


def _rows(prepared: Sequence[Prepared | InputError], to: Recipe, run: Run) -> NDArray[np.float32]:
    """The graph's first output, a row for each item."""
    if all(isinstance(one, InputError) for one in prepared):
        return np.zeros((len(prepared), 1), dtype=np.float32)
    count, size = len(prepared), to.batch or len(prepared)
    if count == size == 1 and isinstance(prepared[0], Prepared):
        batch = prepared[0].pixels[None]
    else:
        batch = np.empty((-(-count // size) * size, *to.shape), dtype=np.uint8)
        batch[count:] = 0  # what fills up a static batch
        for place, one in enumerate(prepared):
            # A bad item keeps its place, as zeros, so that its neighbours' arithmetic does not change.
            batch[place] = one.pixels if isinstance(one, Prepared) else 0
    parts: list[NDArray[np.float32]] = [run([batch[start : start + size]])[0] for start in range(0, count, size)]
    return (parts[0] if len(parts) == 1 else np.concatenate(parts))[:count]


def _choices(rows: NDArray[np.float32], asks: Sequence[Ask], to: Recipe) -> list[tuple[Choice, ...]]:
    wanted = {ask.top_k for ask in asks}
    found = batch_choices(rows, labels=to.labels, top_k=max(wanted, default=1))
    return found if len(wanted) == 1 else [top[: ask.top_k] for top, ask in zip(found, asks, strict=True)]


def _embeddings(rows: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Arrays of their own: a view would keep its whole batch in memory."""
    return [row.astype(np.float32) for row in rows]


def _prediction(
    item: ImageInput,
    prepared: Prepared | InputError,
    answered: _Answered,
    ask: Ask,
    infer_ms: float,
) -> Prediction:
    path = os.fspath(item) if isinstance(item, str | os.PathLike) else None
    if isinstance(prepared, InputError):
        return Prediction(path, error=str(prepared), code=prepared.code)
    timings = Timings(*prepared.took, infer_ms) if ask.timings else None
    if isinstance(answered, np.ndarray):
        return Prediction(path, embedding=answered, timings=timings)
    best = answered[0]
    return Prediction(path, best.label, best.index, best.score, answered, timings=timings)
