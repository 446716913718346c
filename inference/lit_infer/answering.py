"""One batch, from items to predictions: prepare each, run the graph once, read its rows."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lit_infer import images
from lit_infer.engines import Run
from lit_infer.errors import InputError
from lit_infer.images import ImageInput, Pixels
from lit_infer.limits import Limits
from lit_infer.manifest import Manifest
from lit_infer.predictions import Prediction, Timings, top_choices


@dataclass(frozen=True, slots=True)
class Ask:
    """What is wanted of an item."""

    top_k: int
    timings: bool
    limits: Limits


@dataclass(frozen=True, slots=True)
class Prepared:
    """An image as the graph takes it, and the milliseconds that reading, decoding and resizing it took."""

    pixels: Pixels
    took: tuple[float, float, float]


def prepare(item: ImageInput, manifest: Manifest, limits: Limits) -> Prepared | InputError:
    """One item, prepared, or what is wrong with it."""
    shape = manifest.image_shape
    try:
        pixels, took = images.prepare_timed(item, steps=manifest.preprocess, channels=shape[2], limits=limits)
    except InputError as error:
        return error
    if pixels.shape != shape:
        found, wanted = (f"{height} x {width}" for height, width, _ in (pixels.shape, shape))
        return InputError(f"{found} pixels after preprocessing; the model takes {wanted}", code="bad_shape")
    return Prepared(pixels, took)


def answer(
    items: Sequence[ImageInput],
    prepared: Sequence[Prepared | InputError],
    asks: Sequence[Ask],
    *,
    manifest: Manifest,
    run: Run,
) -> list[Prediction]:
    """The predictions of a batch, in its order."""
    started = time.perf_counter()
    rows = _rows(prepared, manifest, run)
    infer_ms = (time.perf_counter() - started) * 1e3 / max(1, len(items))
    return [
        _prediction(item, one, row, ask, manifest, infer_ms)
        for item, one, row, ask in zip(items, prepared, rows, asks, strict=True)
    ]


def _rows(prepared: Sequence[Prepared | InputError], manifest: Manifest, run: Run) -> NDArray[np.float32]:
    """The graph's first output, a row for each item."""
    if all(isinstance(one, InputError) for one in prepared):
        return np.zeros((len(prepared), 1), dtype=np.float32)
    if len(prepared) == 1 and isinstance(prepared[0], Prepared):
        batch = prepared[0].pixels[None]
    else:
        batch = np.empty((len(prepared), *manifest.image_shape), dtype=np.uint8)
        for place, one in enumerate(prepared):
            # A bad item keeps its place, as zeros, so that its neighbours' arithmetic does not change.
            batch[place] = one.pixels if isinstance(one, Prepared) else 0
    rows: NDArray[np.float32] = run([batch])[0]
    return rows


def _prediction(
    item: ImageInput,
    prepared: Prepared | InputError,
    row: NDArray[np.float32],
    ask: Ask,
    manifest: Manifest,
    infer_ms: float,
) -> Prediction:
    path = os.fspath(item) if isinstance(item, str | os.PathLike) else None
    if isinstance(prepared, InputError):
        return Prediction(path, error=str(prepared), code=prepared.code)
    timings = Timings(*prepared.took, infer_ms) if ask.timings else None
    if manifest.task == "image-embedding":
        return Prediction(path, embedding=row.astype(np.float32), timings=timings)
    top = top_choices(row, labels=manifest.labels, top_k=ask.top_k)
    return Prediction(path, top[0].label, top[0].index, top[0].score, top, timings=timings)
