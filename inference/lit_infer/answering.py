"""One batch, from items to predictions: prepare each, run the graph, read its rows."""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard, TypeVar

import msgspec
import numpy as np
from PIL import Image

from lit_infer import images
from lit_infer.batching import rows
from lit_infer.batching.sizes import static_batch
from lit_infer.engines import Run
from lit_infer.errors import InputError, UsageError
from lit_infer.images import ImageInput, Pixels
from lit_infer.images.limits import Limits
from lit_infer.images.mapping import to_original
from lit_infer.images.steps import is_identity
from lit_infer.manifest import Manifest, Step
from lit_infer.predictions import Prediction, Timings
from lit_infer.tasks import Ask, Outputs, Reading, TaskSpec

_NO_TIME = (0.0, 0.0, 0.0)


class PreparedImage(msgspec.Struct, frozen=True, gc=False):
    """An image as the graph takes it, and the milliseconds that reading, decoding and resizing it took."""

    pixels: Pixels
    took: tuple[float, float, float]
    notes: tuple[str, ...] = ()
    """What the image has that its pixels do not show: names in `images.notes.NOTES`."""
    size: tuple[int, int] | None = None
    """(width, height) of the image before its steps; None: as prepared. Of several images: of the first."""
    more: tuple[Pixels, ...] = ()
    """Of a model that takes several images: the others."""


class Recipe(msgspec.Struct, frozen=True):
    """What a manifest says about every image and every batch, worked out once."""

    task: TaskSpec
    reading: Reading
    steps: tuple[Step, ...]
    shape: tuple[int, int, int]
    batch: int | None
    """The only number of images that the graph takes; None: any."""
    dtype: str
    """Of a prepared image."""
    is_identity: bool
    """Whether the steps leave an image of `shape` as it is."""
    names: tuple[str, ...] = ()
    """Of a model that takes several images: what they are called."""

    def is_met_by(self, item: ImageInput) -> TypeGuard[Pixels]:
        """Whether the item is already what `prepare` would make of it."""
        return (
            self.is_identity and isinstance(item, np.ndarray) and item.shape == self.shape and item.dtype == self.dtype
        )


def recipe(manifest: Manifest) -> Recipe:
    """Of a model whose task is about images."""
    steps, (height, width, _) = manifest.preprocess, manifest.image_shape
    if len({(tensor.dtype, tensor.shape) for tensor in manifest.inputs}) > 1:
        raise UsageError(f"{manifest.name}: {', '.join(manifest.image_names)} are images of different shapes")
    return Recipe(
        task=manifest.spec,
        reading=manifest.reading,
        steps=steps,
        shape=manifest.image_shape,
        batch=static_batch(manifest),
        dtype=manifest.inputs[0].dtype,
        is_identity=is_identity(steps, width=width, height=height),
        names=manifest.image_names,
    )


T = TypeVar("T")
_ONE = (str, bytes, bytearray, memoryview, os.PathLike, Image.Image, Mapping)


def many(items: Iterable[T]) -> Iterable[T]:
    """The items, unless they are one item."""
    if isinstance(items, _ONE) or hasattr(items, "read"):
        raise UsageError("predict takes a list of items; put the one item in brackets")
    return items


def held_bytes(item: Any) -> int:
    """The memory that a waiting item holds."""
    if isinstance(item, Mapping):
        return sum(map(held_bytes, item.values()))
    if isinstance(item, np.ndarray):
        return item.nbytes
    if isinstance(item, bytes | bytearray | memoryview):
        return memoryview(item).nbytes
    return item.width * item.height * len(item.getbands()) if isinstance(item, Image.Image) else 0


def prepare(item: ImageInput | Mapping[str, ImageInput], to: Recipe, limits: Limits) -> PreparedImage | InputError:
    """One item, prepared, or what is wrong with it."""
    if to.names:
        return _prepare_several(item, to, limits)
    if isinstance(item, Mapping):
        return InputError("the model takes one image, not several by name", code="bad_type")
    return _prepare_one(item, to, limits)


def _prepare_several(item: Any, to: Recipe, limits: Limits) -> PreparedImage | InputError:
    """Each image of an item, prepared alike. What is wrong with one says which it is."""
    if not isinstance(item, Mapping) or set(item) != set(to.names):
        found = ", ".join(map(str, item)) if isinstance(item, Mapping) else type(item).__name__
        return InputError(
            f"an item has the images {', '.join(to.names)}, by these names; this one is {found or 'empty'}",
            code="bad_row",
        )
    parts = []
    for name in to.names:
        one = _prepare_one(item[name], to, limits)
        if isinstance(one, InputError):
            return InputError(f"{name}: {one}", code=one.code)
        parts.append(one)
    took = tuple(map(sum, zip(*(one.took for one in parts), strict=True)))
    notes = tuple(dict.fromkeys(note for one in parts for note in one.notes))
    return PreparedImage(
        parts[0].pixels, (took[0], took[1], took[2]), notes, parts[0].size, tuple(one.pixels for one in parts[1:])
    )


def _prepare_one(item: ImageInput, to: Recipe, limits: Limits) -> PreparedImage | InputError:
    try:
        if to.is_met_by(item):
            limits.check_pixels(to.shape[1], to.shape[0])
            return PreparedImage(item, _NO_TIME, size=(to.shape[1], to.shape[0]))
        pixels, took, notes, size = images.prepare_noted(item, steps=to.steps, channels=to.shape[2], limits=limits)
    except InputError as error:
        return error
    if pixels.shape != to.shape:
        found, wanted = (f"{height} x {width}" for height, width, _ in (pixels.shape, to.shape))
        return InputError(f"{found} pixels after preprocessing; the model takes {wanted}", code="bad_shape")
    return PreparedImage(pixels, took, notes, size)


def answer(
    items: Sequence[ImageInput],
    prepared: Sequence[PreparedImage | InputError],
    asks: Sequence[Ask],
    *,
    to: Recipe,
    run: Run,
) -> list[Prediction]:
    """The predictions of a batch, in its order."""
    started = time.perf_counter()
    outputs = run_prepared(prepared, to, run)
    infer_ms = (time.perf_counter() - started) * 1e3 / max(1, len(items))
    answers: Sequence[msgspec.Struct | InputError | None] = [None] * len(items)
    if outputs:
        placed = asks
        if to.task.maps_back:
            placed = [with_way(ask, _size(one), to.steps) for ask, one in zip(asks, prepared, strict=True)]
        answers = to.task.read(outputs, placed, to.reading)
    return [
        _prediction(items[index], prepared[index], answers[index], ask, outputs, index, infer_ms)
        for index, ask in enumerate(asks)
    ]


def with_way(ask: Ask, size: tuple[int, int] | None, steps: Sequence[Step]) -> Ask:
    """What is asked of an image of this size: its answer has positions, and they are to be the image's own."""
    return ask if size is None else msgspec.structs.replace(ask, way=to_original([step.value for step in steps], *size))


def _size(one: PreparedImage | InputError) -> tuple[int, int] | None:
    return one.size if isinstance(one, PreparedImage) else None


def run_prepared(prepared: Sequence[PreparedImage | InputError], to: Recipe, run: Run) -> Outputs:
    """The graph's outputs, a row for each item; none where no item could be prepared."""
    if all(isinstance(one, InputError) for one in prepared):
        return ()
    count, first = len(prepared), prepared[0]
    if count == 1 and isinstance(first, PreparedImage):
        batches = tuple(pixels[None] for pixels in (first.pixels, *first.more))
    else:
        shape = (rows.full(count, to.batch), *to.shape)
        batches = tuple(np.empty(shape, dtype=to.dtype) for _ in to.names or ("images",))
        for batch in batches:
            batch[count:] = 0
        for index, one in enumerate(prepared):
            # A bad item keeps its row, as zeros, so that the arithmetic of its neighbours does not change.
            parts = (one.pixels, *one.more) if isinstance(one, PreparedImage) else (0,) * len(batches)
            for batch, pixels in zip(batches, parts, strict=True):
                batch[index] = pixels
    return rows.run(run, batches, count=count, size=to.batch)


def _prediction(  # noqa: PLR0913, PLR0917 - the parts of one item, in the hottest loop
    item: ImageInput,
    prepared: PreparedImage | InputError,
    answer: msgspec.Struct | InputError | None,
    ask: Ask,
    outputs: Outputs,
    index: int,
    infer_ms: float,
) -> Prediction:
    path = os.fspath(item) if isinstance(item, str | os.PathLike) else None
    if isinstance(prepared, InputError):
        return Prediction(path, error=str(prepared), code=prepared.code)
    if isinstance(answer, InputError):
        return Prediction(path, error=str(answer), code=answer.code)
    # A copy: a view would keep the whole batch in memory.
    output = outputs[0][index].copy() if ask.output else None
    timings = Timings(*prepared.took, infer_ms) if ask.timings else None
    return Prediction(path, answer, output=output, timings=timings, notes=prepared.notes)
