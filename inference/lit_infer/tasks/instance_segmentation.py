"""Task `instance-segmentation`: boxes around things, each with a class, a score, and the pixels that belong to it."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lit_infer.images import masks, rle
from lit_infer.images.mapping import WayBack, to_original
from lit_infer.images.pasting import pasted
from lit_infer.images.rle import Rle
from lit_infer.images.tiles import Tile
from lit_infer.tasks.candidates import Chosen, chosen, in_order_of, names_of
from lit_infer.tasks.object_detection import BoxTally, DetectionFacts, in_original, show, size_of
from lit_infer.tasks.spec import AnswerFile, Ask, Metric, Outputs, Reading, Row, TaskSpec, Tiled
from lit_infer.tasks.tile_boxes import kept

_IN_BOX = 4
"""Sides of the masks of an image that lie in their boxes, [n, 1, h, w]; those of the whole image are [n, h, w]."""


class InstanceFacts(DetectionFacts, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which of the graph's candidates are answers, and which pixels belong to them."""

    mask_threshold: float = 0.5
    """The least probability of a pixel that belongs to what was found."""

    def check(self, labels: tuple[str, ...] | None, size: int | None) -> None:
        """Raise ValueError for numbers that mean nothing."""
        super().check(labels, size)
        if not 0 < self.mask_threshold < 1:
            raise ValueError(f"mask_threshold {self.mask_threshold:g} must lie between 0 and 1")


class FoundInstance(msgspec.Struct, frozen=True, gc=False):
    """One thing that was found."""

    label: str
    index: int
    score: float
    """0 to 1."""
    box: tuple[float, float, float, float]
    """Left, top, right and bottom, in pixels of the image as it was given."""
    area: int
    """Pixels of its mask."""
    segmentation: Rle
    """Its mask, as COCO has it; `segmentation.mask()` is the array."""


class FoundInstances(msgspec.Struct, frozen=True, gc=False):
    """What was found in an image."""

    boxes: tuple[FoundInstance, ...]
    """The best first."""
    width: int
    """Of the image."""
    height: int

    @property
    def mask(self) -> NDArray[Any]:
        """All masks in one [height, width]: 1 for the best instance, 2 for the next, … and 0 where there is none.

        Where several are, the best one is seen.
        """
        count = len(self.boxes)
        found = np.zeros((self.height, self.width), masks.dtype_for(count + 1))
        for place in reversed(range(count)):
            found[self.boxes[place].segmentation.mask()] = place + 1
        return found


def read(outputs: Outputs, asks: Sequence[Ask], reading: Reading) -> list[FoundInstances]:
    """The outputs of a batch, in a form that `candidates` knows, and masks, as what was found in the images."""
    return [_read(row, ask, reading) for *row, ask in zip(*outputs, asks, strict=True)]


def _read(row: Outputs, ask: Ask, reading: Reading) -> FoundInstances:
    found = chosen(row, reading, threshold=ask.threshold)
    small, way = row[-1], ask.way or _as_prepared(row[-1], found)
    places = in_original(found._replace(rows=np.arange(len(found.rows))), way)  # of `found`, some
    width, height = way.original
    least = np.float32(reading.facts.mask_threshold)
    boxes = way.boxes(found.boxes, cut=False)
    made, name = [], names_of(reading)
    for score, label, box, place in zip(*(part.tolist() for part in places), strict=True):
        mask = small[found.rows[place]]
        if small.ndim == _IN_BOX:
            part, corner = pasted(mask[0], boxes[place], (height, width))
            runs = rle.of_part(part >= least, corner, (height, width))
        else:
            runs = rle.of_mask(way.mask(mask >= least))
        made.append(FoundInstance(name(label), label, score, tuple(box), runs.area, runs))
    return FoundInstances(tuple(made), width, height)


def _as_prepared(small: NDArray[Any], found: Chosen) -> WayBack:
    """The way back to the prepared image itself, as far as its size is known."""
    if small.ndim == _IN_BOX:
        sides = np.ceil(found.boxes.reshape(-1, 2).max(0, initial=1)).astype(int).tolist()
        return to_original([], sides[0], sides[1])
    return to_original([], small.shape[2], small.shape[1])


class MergedInstances:
    """What was found in the tiles of an image, each thing once, with the mask that its tile shows."""

    def __init__(self, of: Tiled) -> None:
        self._of, self._ask = of, msgspec.structs.replace(of.ask, way=of.way)
        self._found: list[tuple[Tile, FoundInstance]] = []

    def add(self, row: Outputs, tile: Tile) -> None:
        """Take what a tile shows."""
        self._found += [(tile, one) for one in _read(row, self._ask, self._of.reading).boxes]

    def answer(self) -> FoundInstances:
        """All instances, in pixels of the image."""
        grid = self._of.grid
        stay = kept(self._found, grid, self._of.reading.facts.overlap)
        size = (grid.height, grid.width)
        return FoundInstances(tuple(_moved(*self._found[index], size) for index in stay), grid.width, grid.height)


def _moved(tile: Tile, found: FoundInstance, size: tuple[int, int]) -> FoundInstance:
    left, top, right, bottom = found.box
    box = (left + tile.left, top + tile.top, right + tile.left, bottom + tile.top)
    runs = rle.of_part(found.segmentation.mask(), (tile.top, tile.left), size)
    return msgspec.structs.replace(found, box=box, segmentation=runs)


def row(answer: FoundInstances) -> Row:
    """An answer as columns; whoever writes the mask to a file adds its path."""
    boxes = [
        {**msgspec.structs.asdict(one), "box": list(one.box), "segmentation": _as_row(one.segmentation)}
        for one in answer.boxes
    ]
    return {"width": answer.width, "height": answer.height, "boxes": boxes, "mask": None}


def _as_row(found: Rle) -> Mapping[str, Any]:
    return {"size": list(found.size), "counts": found.counts}


TASK = TaskSpec(
    name="instance-segmentation",
    does="finds things in images, and the pixels that belong to each",
    kind="instances",
    facts=InstanceFacts,
    answer=FoundInstances,
    read=read,
    columns=lambda _: {"width": "integer", "height": "integer", "boxes": "instances", "mask": "text"},
    row=row,
    show=show,
    headings=("found", "score", "boxes"),
    tally=BoxTally,
    metric=Metric("mask mAP50", better="max"),
    in_order_of=in_order_of,
    size_of=size_of,
    maps_back=True,
    merges=lambda _: {"nms": MergedInstances},
    draws_masks=True,
    rows_have_masks=True,
    file=AnswerFile("masks", "mask", lambda answer: (".png", masks.png(answer.mask))),
    takes_threshold=True,
    pipeline_tag="image-segmentation",
    cautions=("What it was not trained to find it does not report; what scores below the threshold is not reported.",),
)
