"""Task `object-detection`: boxes around things, each with a class and a score."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from lit_infer.images import boxes as geometry
from lit_infer.images.mapping import WayBack
from lit_infer.images.tiles import Tile
from lit_infer.tasks.candidates import Chosen, chosen, in_order_of, names_of
from lit_infer.tasks.choices import most_common
from lit_infer.tasks.spec import Ask, Metric, Outputs, Reading, Row, Shown, TaskSpec, Tiled, last_side
from lit_infer.tasks.tile_boxes import kept

_TITLE = 3
"""Classes that a title names."""
BoxFormat = Literal["xyxy", "xywh", "cxcywh"]
BoxScores = Literal["softmax", "sigmoid", "probabilities"]


class DetectionFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which of the graph's candidates are answers, and what the module's numbers mean."""

    threshold: float = 0.5
    """The least score of a box."""
    overlap: float | None = None
    """Of two boxes of one class that overlap by more (intersection over union), the better one stays: non-maximum
    suppression, done by the runtime. None: all stay, for modules that do it themselves or need none."""
    most: int = 100
    """Boxes of an image, the best ones."""
    per_class: bool = False
    """Whether a candidate may be of several classes, each with a box of its own, as torchvision's detectors have it."""
    boxes: BoxFormat | None = None
    """The module's: corners; corner and size; centre and size. None: as usual for what the module answers."""
    relative: bool | None = None
    """Whether the module's boxes are shares of the image's sides. None: as usual."""
    scores: BoxScores | None = None
    """What makes probabilities of the module's scores; `softmax` drops the last class, which is "no object"."""

    def check(self, labels: tuple[str, ...] | None, size: int | None) -> None:
        """Raise ValueError for numbers that mean nothing."""
        del labels, size
        for name in ("threshold", "overlap"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{name} {value:g} must lie between 0 and 1")
        if self.most < 1:
            raise ValueError(f"most {self.most} must be at least 1")


class FoundBox(msgspec.Struct, frozen=True, gc=False):
    """One thing that was found."""

    label: str
    index: int
    score: float
    """0 to 1."""
    box: tuple[float, float, float, float]
    """Left, top, right and bottom, in pixels of the image as it was given."""


class Detections(msgspec.Struct, frozen=True, gc=False):
    """What was found in an image."""

    boxes: tuple[FoundBox, ...]
    """The best first."""
    width: int | None
    """Of the image."""
    height: int | None


def read(outputs: Outputs, asks: Sequence[Ask], reading: Reading) -> list[Detections]:
    """The outputs of a batch, in a form that `candidates` knows, as what was found in the images as they were."""
    return [_read(row, ask, reading) for *row, ask in zip(*outputs, asks, strict=True)]


def _read(row: Outputs, ask: Ask, reading: Reading) -> Detections:
    found = in_original(chosen(row, reading, threshold=ask.threshold), ask.way)
    width, height = (None, None) if ask.way is None else ask.way.original
    name = names_of(reading)
    made = zip(found.labels.tolist(), found.scores.tolist(), found.boxes.tolist(), strict=True)
    return Detections(
        tuple(FoundBox(name(label), label, score, tuple(box)) for label, score, box in made), width, height
    )


def in_original(found: Chosen, way: WayBack | None) -> Chosen:
    """With boxes in pixels of the image as it was, without those in the padding of a letterbox, where nothing is."""
    if way is None:
        return found
    is_thin = geometry.areas(found.boxes) == 0  # as the model has it
    moved = found._replace(boxes=way.boxes(found.boxes))
    return moved.only((geometry.areas(moved.boxes) > 0) | is_thin)


def size_of(shape: Sequence[int | str]) -> int | None:
    """Classes, from scores [batch, n, classes]; those of what was found, [batch, n], do not say."""
    return last_side(shape) if len(shape) == 3 else None


class MergedBoxes:
    """What was found in the tiles of an image, each thing once."""

    def __init__(self, of: Tiled) -> None:
        self._of, self._ask = of, msgspec.structs.replace(of.ask, way=of.way)
        self._found: list[tuple[Tile, FoundBox]] = []

    def add(self, row: Outputs, tile: Tile) -> None:
        """Take what a tile shows."""
        self._found += [(tile, box) for box in _read(row, self._ask, self._of.reading).boxes]

    def answer(self) -> Detections:
        """All boxes, in pixels of the image."""
        grid = self._of.grid
        stay = kept(self._found, grid, self._of.reading.facts.overlap)
        return Detections(tuple(_moved(*self._found[index]) for index in stay), grid.width, grid.height)


def _moved(tile: Tile, found: FoundBox) -> FoundBox:
    left, top, right, bottom = found.box
    box = (left + tile.left, top + tile.top, right + tile.left, bottom + tile.top)
    return msgspec.structs.replace(found, box=box)


def row(answer: Detections) -> Row:
    """An answer as columns."""
    boxes = [{**msgspec.structs.asdict(box), "box": list(box.box)} for box in answer.boxes]
    return {"width": answer.width, "height": answer.height, "boxes": boxes}


def show(line: Row) -> Shown:
    """A row as it is displayed."""
    pairs = tuple((box["label"], box["score"]) for box in line["boxes"])
    counts = Counter(label for label, _ in pairs)
    named = [f"{count} x {label}" if count > 1 else label for label, count in counts.most_common(_TITLE)]
    more = f", and {len(counts) - _TITLE} more classes" if len(counts) > _TITLE else ""
    best = pairs[0][1] if pairs else None
    return Shown((", ".join(named) or "nothing") + more, best, pairs, groups=tuple(counts) or ("",))


class BoxTally:
    """Counts boxes, and images without any."""

    def __init__(self, reading: Reading) -> None:
        del reading
        self._boxes: Counter[str] = Counter()
        self._empty = 0

    def add(self, line: Row, truths: Mapping[str, str | None]) -> None:
        """Count a row."""
        del truths
        self._boxes.update(box["label"] for box in line["boxes"])
        self._empty += not line["boxes"]

    def lines(self) -> list[str]:
        """Boxes of each class, and images without any."""
        lines = [f"boxes: {most_common(self._boxes)}"] if self._boxes else []
        return [*lines, f"images without a box: {self._empty}"] if self._empty else lines

    def verdict(self) -> str:
        """Nothing is known."""
        return ""


TASK = TaskSpec(
    name="object-detection",
    does="finds things in images",
    kind="boxes",
    facts=DetectionFacts,
    answer=Detections,
    read=read,
    columns=lambda _: {"width": "integer", "height": "integer", "boxes": "boxes"},
    row=row,
    show=show,
    headings=("found", "score", "boxes"),
    tally=BoxTally,
    metric=Metric("mAP50", better="max"),
    in_order_of=in_order_of,
    size_of=size_of,
    maps_back=True,
    merges=lambda _: {"nms": MergedBoxes},
    takes_threshold=True,
    pipeline_tag="object-detection",
    cautions=("What it was not trained to find it does not report; what scores below the threshold is not reported.",),
)
