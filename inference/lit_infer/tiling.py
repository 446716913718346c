"""Images in tiles, from items to predictions: cut each, run tiles of several images together, merge what they answer.

One image after the other is cut, from top to bottom, and only so many tiles are under way; what is merged is final as
soon as no later tile overlaps it. So an image takes the memory of its pixels, of its answer and of a row of tiles.
"""

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec

from lit_infer import images
from lit_infer.answering import PreparedImage, Recipe, run_prepared
from lit_infer.batching import streaming
from lit_infer.engines import Run
from lit_infer.errors import InputError, UsageError
from lit_infer.images import ImageInput
from lit_infer.images.cut import CutImage, open_cut
from lit_infer.images.mapping import to_original
from lit_infer.images.pictures import Picture
from lit_infer.images.preprocess import Step
from lit_infer.images.steps import after_turning
from lit_infer.images.tiles import Grid, Tile, Tiles
from lit_infer.manifest import Manifest
from lit_infer.predictions import Prediction, Timings
from lit_infer.tasks import Ask, Outputs
from lit_infer.tasks.spec import Merging, Tiled

_USUAL_PIXELS = 2**19
"""Of a batch: two tiles of 512 x 512. More together take more memory."""
_USUAL_NUMBERS = 2**22
"""That the graph answers for a batch."""


class TileRecipe(msgspec.Struct, frozen=True):
    """What is done with images that are cut, worked out once."""

    to: Recipe
    tiles: Tiles
    merging: Callable[[Tiled], Merging]
    of_tile: tuple[Step, ...]
    """The steps that prepare a tile."""


class _Image:
    """An image under way."""

    def __init__(self, item: ImageInput, ask: Ask) -> None:
        self.item, self.ask = item, ask
        self.cut: CutImage | None = None
        self.merging: Merging | None = None
        self.error: InputError | None = None
        self.notes: tuple[str, ...] = ()
        self.took = [0.0, 0.0, 0.0, 0.0]
        """Milliseconds: reading, decoding, preparing, and the graph."""


class CutTile(NamedTuple):
    """A tile of an image, or what stands for one that could not be cut."""

    image: _Image
    tile: Tile | None
    pixels: Picture | None
    is_last: bool


class AnsweredTile(NamedTuple):
    """A tile, and its row of each output."""

    part: CutTile
    row: Outputs | InputError
    prepare_ms: float
    infer_ms: float


def tile_recipe(to: Recipe, tiles: Tiles) -> TileRecipe:
    """Of a model whose images are cut so. Raises ValueError for tiles that its task does not allow."""
    merge = to.task.check_tiles(tiles, to.reading)
    return TileRecipe(to, tiles, to.task.merges(to.reading)[merge], after_turning(to.steps))


def predictions(
    asked: Iterable[tuple[Any, Ask]],
    of: TileRecipe,
    *,
    run: Run,
    size: int,
    pool: Executor | None = None,
    ahead: int = 0,
) -> Iterator[Prediction]:
    """The predictions of images, in order: batches of `size` tiles run in the pool, else in the caller's thread.

    `ahead`: batches beyond the one that is awaited.
    """

    def begin(batches: Sequence[list[CutTile]]) -> Future[list[AnsweredTile]]:
        (parts,) = batches
        if pool is not None:
            return pool.submit(_ran, parts, of, run)
        done: Future[list[AnsweredTile]] = Future()
        done.set_result(_ran(parts, of, run))
        return done

    yield from merged(streaming.in_order(batches(asked, of, size), 1, begin, ahead))


def batches(asked: Iterable[tuple[Any, Ask]], of: TileRecipe, size: int) -> Iterator[list[CutTile]]:
    """Tiles of up to `size` images together, in batches of up to `size`.

    A run that is resumed, or shared among machines, begins at a multiple of so many images: it has the same batches.
    """
    batch: list[CutTile] = []
    for index, (item, ask) in enumerate(asked):
        if index % size == 0 and batch:
            yield batch
            batch = []
        for part in _parts(_Image(item, ask), of):
            batch.append(part)
            if len(batch) == size:
                yield batch
                batch = []
    if batch:
        yield batch


def _parts(image: _Image, of: TileRecipe) -> Iterator[CutTile]:
    """All tiles of an image. One that cannot be cut, or has failed, ends with an empty part."""
    cut: CutImage | None = None
    try:
        cut = open_cut(image.item, steps=of.to.steps, limits=image.ask.limits)
        width, height = cut.size
        grid = Grid.of(of.tiles, width, height)
        tall, wide = grid.tile_height, grid.tile_width
        image.notes = cut.notes
        way = to_original([step.value for step in of.of_tile], wide, tall)
        image.merging = of.merging(Tiled(grid, way, image.ask, of.to.reading))
        for index, tile in enumerate(grid):
            if image.error is not None:
                break
            pixels = cut.crop(tile.left, tile.top, tile.left + wide, tile.top + tall)
            image.took[:2] = cut.took
            yield CutTile(image, tile, pixels, is_last=index + 1 == grid.count)
        else:
            return
    except InputError as error:
        image.error = image.error or error
    finally:
        if cut is not None:
            cut.close()
    yield CutTile(image, None, None, is_last=True)


def _ran(parts: Sequence[CutTile], of: TileRecipe, run: Run) -> list[AnsweredTile]:
    """A batch: each tile prepared, the graph run, and its rows."""
    prepared, took = prepare(parts, of)
    started = time.perf_counter()
    outputs = run_prepared(prepared, of.to, run)
    return ran(parts, prepared, outputs, took, (time.perf_counter() - started) * 1e3)


def prepare(parts: Sequence[CutTile], of: TileRecipe) -> tuple[list[PreparedImage | InputError], list[float]]:
    """Each tile of a batch as the graph takes it, and the milliseconds that took."""
    prepared: list[PreparedImage | InputError] = []
    began = [time.perf_counter()]
    for part in parts:
        prepared.append(_prepared(part, of))
        began.append(time.perf_counter())
    return prepared, [(after - before) * 1e3 for before, after in pairwise(began)]


def ran(
    parts: Sequence[CutTile],
    prepared: Sequence[PreparedImage | InputError],
    outputs: Outputs,
    took: Sequence[float],
    infer_ms: float,
) -> list[AnsweredTile]:
    """The tiles of a batch with their rows of the outputs, which have a row for each."""
    share = infer_ms / len(parts)
    rows = ([output[index] for output in outputs] for index in range(len(parts)))
    return [
        AnsweredTile(part, one if isinstance(one, InputError) else row, ms, share)
        for part, one, row, ms in zip(parts, prepared, rows, took, strict=True)
    ]


def _prepared(part: CutTile, of: TileRecipe) -> PreparedImage | InputError:
    """A tile as the graph takes it, as `answering.prepare` does it for an image."""
    if part.pixels is None:
        return part.image.error or InputError("its tile is missing", code="bad_shape")
    to, limits = of.to, part.image.ask.limits
    try:
        pixels = images.transform(part.pixels, steps=of.of_tile, channels=to.shape[2], limits=limits)
    except InputError as error:
        return error
    if pixels.shape != to.shape:
        found, wanted = (f"{height} x {width}" for height, width, _ in (pixels.shape, to.shape))
        return InputError(
            f"a tile has {found} pixels after preprocessing; the model takes {wanted}. The image is smaller than a "
            "tile: pad it, or give smaller tiles",
            code="bad_shape",
        )
    return PreparedImage(pixels, (0.0, 0.0, 0.0))


def merged(found: Iterable[AnsweredTile]) -> Iterator[Prediction]:
    """Each image's prediction, as soon as its last tile is there."""
    for ran in found:
        image = ran.part.image
        image.took[2] += ran.prepare_ms
        image.took[3] += ran.infer_ms
        if isinstance(ran.row, InputError):
            image.error = image.error or ran.row
        elif image.error is None and image.merging is not None and ran.part.tile is not None:
            image.merging.add(ran.row, ran.part.tile)
        if ran.part.is_last:
            yield _prediction(image)


def _prediction(image: _Image) -> Prediction:
    path = os.fspath(image.item) if isinstance(image.item, str | os.PathLike) else None
    answer: Any = image.error
    if answer is None and image.merging is not None:
        answer = image.merging.answer()
    image.merging = None
    if isinstance(answer, InputError):
        return Prediction(path, error=str(answer), code=answer.code)
    timings = Timings(*image.took) if image.ask.timings else None
    return Prediction(path, answer, timings=timings, notes=image.notes)


def usual_batch(manifest: Manifest) -> int:
    """Tiles that are run together on a CPU: of large ones, and of those with large answers, few."""
    height, width, _ = manifest.image_shape
    sides = ([side for side in tensor.shape[1:] if isinstance(side, int)] for tensor in manifest.outputs)
    answered = max(1, sum(map(math.prod, sides)))
    return max(1, min(_USUAL_PIXELS // (height * width), _USUAL_NUMBERS // answered))


def check_ask(ask: Ask, name: str) -> None:
    """Raise UsageError for what an image in tiles has not."""
    if ask.output:
        raise UsageError(
            f"{name}: the graph answers for tiles, and an image has no output of its own. Leave out --embeddings "
            "(output=True), or cut none: --tiles none (tiles=False)"
        )
