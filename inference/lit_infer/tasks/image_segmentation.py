"""Task `image-segmentation`: a class for each pixel."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from lit_infer.images import masks, rle
from lit_infer.images.blending import Blend, Cells
from lit_infer.images.mapping import WayBack
from lit_infer.images.tiles import Tile
from lit_infer.tasks.choices import most_common
from lit_infer.tasks.spec import (
    Agreement,
    AnswerFile,
    Ask,
    Merges,
    Metric,
    Outputs,
    Reading,
    Row,
    Shown,
    TaskSpec,
    Tiled,
)

_TITLE = 3
"""Classes that a title names."""
Enlarging = Literal["bilinear", "bicubic", "nearest"]


class SegmentationFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How scores become classes."""

    threshold: float | None = None
    """Of two classes: the second one has the pixels whose score for it is at least this. None: the better class."""
    scores: Literal["logits", "softmax", "sigmoid", "probabilities"] | None = None
    """What the module answers, or what makes probabilities of it: `softmax` over the classes, `sigmoid` of each by
    itself; `logits`: the one of them that is usual. None: found out at export."""
    enlarge: Enlarging | None = None
    """How scores of a whole fraction of the size are enlarged inside the graph; None: bilinear."""

    def check(self, labels: tuple[str, ...] | None, size: int | None) -> None:
        """Raise ValueError for a threshold that means nothing."""
        if self.threshold is None:
            return
        if not 0 < self.threshold < 1:
            raise ValueError(f"threshold {self.threshold:g} must lie between 0 and 1")
        count = len(labels) if labels is not None else size
        if count not in (None, 2):
            raise ValueError(f"a threshold is for two classes, and there are {count}")


class Area(msgspec.Struct, frozen=True, gc=False):
    """What one class has of an image."""

    label: str
    index: int
    pixels: int
    share: float
    """Of all pixels of the image, 0 to 1."""


_PNG = msgspec.Meta(
    extra_json_schema={"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"},
    description="A PNG whose values are class indices",
)


class Segmentation(msgspec.Struct, frozen=True, eq=False):
    """The class of each pixel of the image as it was given."""

    mask: Annotated[NDArray[Any], _PNG]
    """Class indices uint8 [height, width], or uint16 for more than 255 classes; the largest value is no class."""
    width: int
    height: int
    areas: tuple[Area, ...]
    """Of the classes that are there, the largest first."""
    outside: int
    """Pixels without a class: preprocessing cut them off, so that the model did not see them."""
    confidence: float | None
    """The mean score of the pixels' own class, 0 to 1; None for a model that answers classes alone."""

    def parts(self) -> dict[str, Any]:
        """As JSON has it: the mask as a PNG in base64."""
        return {**msgspec.structs.asdict(self), "mask": masks.png_text(self.mask)}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Segmentation):
            return NotImplemented
        return self.areas == other.areas and np.array_equal(self.mask, other.mask)

    def __hash__(self) -> int:
        return hash(self.mask.tobytes())


def size_of(shape: Sequence[int | str]) -> int | None:
    """Classes, from [batch, classes, height, width]; indices [batch, height, width] do not say."""
    classes = shape[1] if len(shape) == 4 else None
    return classes if isinstance(classes, int) else None


def read(outputs: Outputs, asks: Sequence[Ask], reading: Reading) -> list[Segmentation]:
    """Scores [batch, classes, height, width] or indices [batch, height, width] as masks of the images as they were."""
    return [_read(row, ask.way, reading) for row, ask in zip(outputs[0], asks, strict=True)]


def _read(row: NDArray[Any], way: WayBack | None, reading: Reading) -> Segmentation:
    classes, scores = (_indices(row), None) if row.ndim == 2 else best(row, reading)
    height, width = classes.shape
    rows, columns = (np.ones(height, int), np.ones(width, int)) if way is None else way.counts(height, width)
    outside = masks.outside_of(classes)
    seen = rows[:, None] * columns
    counts = np.bincount(classes.ravel(), seen.ravel(), minlength=outside + 1).astype(np.int64)
    total = height * width if way is None else way.original[0] * way.original[1]
    mask = classes if way is None else way.mask(classes, outside=outside)
    return Segmentation(
        mask,
        width=mask.shape[1],
        height=mask.shape[0],
        areas=_areas(counts[:outside], total, reading),
        outside=total - int(counts[:outside].sum()),
        confidence=None if scores is None or not seen.any() else float((scores * seen).sum() / seen.sum()),
    )


def _areas(counts: NDArray[np.int64], total: int, reading: Reading) -> tuple[Area, ...]:
    name = reading.labels.__getitem__ if reading.labels else str
    found = [(int(counts[index]), int(index)) for index in np.flatnonzero(counts)]
    return tuple(Area(name(i), i, pixels, pixels / total) for pixels, i in sorted(found, key=lambda one: -one[0]))


def _indices(row: NDArray[Any]) -> NDArray[Any]:
    """Indices as a mask; below 0, as training marks what it ignores, a pixel has no class."""
    dtype = masks.dtype_for(int(row.max(initial=0)) + 1)
    return np.where(row < 0, masks.OUTSIDE[np.dtype(dtype).name], row).astype(dtype)


def best(scores: NDArray[Any], reading: Reading) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """The class of each pixel [..., height, width] and its score, from [..., classes, height, width].

    Of equal scores the first class. Class by class: numpy's argmax over any but the last side is many times slower.
    """
    count, threshold = scores.shape[-3], reading.facts.threshold
    of = [scores[..., index, :, :] for index in range(count)]
    if threshold is not None:
        second = of[1] >= np.float32(threshold)
        return second.astype(np.uint8), np.where(second, of[1], of[0]).astype(np.float32)
    most = of[0].astype(np.float32)
    classes = np.zeros(most.shape, masks.dtype_for(count))
    for index in range(1, count):
        np.copyto(classes, index, where=of[index] > most, casting="unsafe")
        np.maximum(most, of[index], out=most)
    return classes, most


class MergedMask:
    """The mask of an image in tiles: of the mean scores the best class, or the class of the tile that is nearest."""

    def __init__(self, of: Tiled, *, by_mean: bool) -> None:
        self._of, self._by_mean = of, by_mean
        parts = (of.grid, of.way)
        self._joined = Blend(*parts, "mean", self._take) if by_mean else Cells(*parts, self._take)
        self._mask = self._empty(masks.dtype_for(of.reading.size or len(of.reading.labels or ())))
        self._counts = np.zeros(masks.OUTSIDE["uint16"], np.int64)
        self._scores: float | None = None

    def _empty(self, dtype: Any) -> NDArray[Any]:
        return np.full((self._of.grid.height, self._of.grid.width), masks.OUTSIDE[np.dtype(dtype).name], dtype)

    def add(self, row: Outputs, tile: Tile) -> None:
        """Take scores [classes, height, width], or indices [height, width]."""
        planes, way = np.asarray(row[0]), self._of.way
        if planes.ndim == 2:
            planes = planes[None]
        elif not self._by_mean:
            planes = np.stack(best(planes, self._of.reading))
        planes = planes.astype(np.float32, copy=False)  # exact: a mask has no more than 16 bits
        if not way.is_identity or planes.shape[1:] != way.original[::-1]:
            planes = np.stack([way.mask(plane) for plane in planes])
        self._joined.add(planes, tile)

    def _take(self, block: NDArray[np.float32], top: int, left: int) -> None:
        """A part of the image whose scores, or classes and their scores, are final."""
        rows, columns = slice(top, top + block.shape[1]), slice(left, left + block.shape[2])
        seen = self._joined.rows_seen[rows, None] & self._joined.columns_seen[columns]
        classes, scores = best(block, self._of.reading) if self._by_mean else (block[0], block[1:])
        seen &= classes >= 0  # below, as training marks what it ignores, a pixel has no class
        if scores.size:
            self._scores = (self._scores or 0.0) + float(scores.sum(where=seen, dtype=np.float64))
        found = classes[seen].astype(np.uint16)
        self._make_room(int(found.max(initial=0)))
        self._mask[rows, columns][seen] = found
        self._counts += np.bincount(found, minlength=len(self._counts))

    def _make_room(self, most: int) -> None:
        """Indices do not say beforehand how many classes there are."""
        if self._mask.dtype == np.uint8 and masks.dtype_for(most + 1) is not np.uint8:
            wider = self._empty(np.uint16)
            np.copyto(wider, self._mask, where=self._mask != masks.OUTSIDE["uint8"])
            self._mask = wider

    def answer(self) -> Segmentation:
        """The mask, once all tiles are there."""
        height, width = self._mask.shape
        seen = int(self._counts.sum())
        return Segmentation(
            self._mask,
            width=width,
            height=height,
            areas=_areas(self._counts, height * width, self._of.reading),
            outside=height * width - seen,
            confidence=None if self._scores is None or not seen else self._scores / seen,
        )


def _answers_indices(reading: Reading) -> bool:
    return bool(reading.outputs) and len(reading.outputs[0].shape) == 3


def merges(reading: Reading) -> Merges:
    """Indices have no mean."""
    by_centre: Merges = {"centre": lambda of: MergedMask(of, by_mean=False)}
    return by_centre if _answers_indices(reading) else {"mean": lambda of: MergedMask(of, by_mean=True), **by_centre}


def row(answer: Segmentation) -> Row:
    """An answer as columns; whoever writes the mask to a file adds its path."""
    return {
        "width": answer.width,
        "height": answer.height,
        "areas": [msgspec.structs.asdict(area) for area in answer.areas],
        "outside": answer.outside,
        "confidence": answer.confidence,
        "mask": None,
    }


def row_with_runs(answer: Segmentation) -> Row:
    """The same, with the pixels of each class as COCO has them."""
    found, line = rle.of_classes(answer.mask), row(answer)
    for area in line["areas"]:
        runs = found[area["index"]]
        area["segmentation"] = {"size": list(runs.size), "counts": runs.counts}
    return line


def show(line: Row) -> Shown:
    """A row as it is displayed."""
    shares = tuple((area["label"], area["share"]) for area in line["areas"])
    every = [name for name, _ in shares]
    names = [name for name in every if not masks.is_background(name)] or every
    more = f", and {len(names) - _TITLE} more" if len(names) > _TITLE else ""
    return Shown(", ".join(names[:_TITLE]) + more, line["confidence"], shares, groups=tuple(every) or ("",))


class AreaTally:
    """Counts the images with each class, and its share of all pixels."""

    def __init__(self, reading: Reading) -> None:
        del reading
        self._images: Counter[str] = Counter()
        self._pixels: Counter[str] = Counter()
        self._outside = self._total = 0

    def add(self, line: Row, truths: Mapping[str, str | None]) -> None:
        """Count a row."""
        del truths
        for area in line["areas"]:
            self._images[area["label"]] += 1
            self._pixels[area["label"]] += area["pixels"]
        self._outside += line["outside"]
        self._total += line["width"] * line["height"]

    def lines(self) -> list[str]:
        """In how many images each class is, and what it has of all of them together."""
        if not self._total:
            return []
        shares = [f"{name} {pixels / self._total:.1%}" for name, pixels in self._pixels.most_common(5)]
        found = [f"images with: {most_common(self._images)}", f"share of all pixels: {', '.join(shares)}"]
        if self._outside:
            found.append(f"not seen by the model, since its preprocessing cuts them off: {self._outside:,} pixels")
        return found

    def verdict(self) -> str:
        """Nothing is known."""
        return ""


def equal_pixels(one: NDArray[Any], other: NDArray[Any], reading: Reading) -> NDArray[np.float64]:
    """For each row, the share of its pixels with the same class."""
    here, there = (array if array.ndim == 3 else best(array, reading)[0] for array in (one, other))
    same: NDArray[np.float64] = (here == there).mean((1, 2))
    return same


def margin(one: NDArray[Any], other: NDArray[Any], reading: Reading) -> float | None:
    """Of the pixels whose classes differ: by how much the second one's score for its own class is above the other's."""
    if one.ndim == 3:
        return None
    here, (there, most) = best(one, reading)[0], best(other, reading)
    apart = most - np.take_along_axis(other, here[:, None].astype(np.intp), axis=1)[:, 0]
    return float(apart[here != there].max(initial=0))


TASK = TaskSpec(
    name="image-segmentation",
    does="gives each pixel a class",
    kind="mask",
    facts=SegmentationFacts,
    answer=Segmentation,
    read=read,
    columns=lambda _: {
        "width": "integer",
        "height": "integer",
        "areas": "areas",
        "outside": "integer",
        "confidence": "number",
        "mask": "text",
    },
    row=row,
    row_with_runs=row_with_runs,
    show=show,
    headings=("classes", "confidence", "shares"),
    tally=AreaTally,
    agreement=Agreement("equal pixels", equal_pixels, margin),
    metric=Metric("mIoU", better="max"),
    size_of=size_of,
    maps_back=True,
    merges=merges,
    draws_masks=True,
    file=AnswerFile("masks", "mask", lambda answer: (".png", masks.png(answer.mask))),
    pipeline_tag="image-segmentation",
    cautions=("Every pixel gets one of its classes, also in an image that shows none of them.",),
)
