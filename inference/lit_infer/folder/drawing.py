"""What was found in an image, drawn over it, or beside it: by the kind of the answer, in the colours of the report."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lit_infer.folder import html_boxes, html_masks
from lit_infer.folder.table import Table
from lit_infer.images import masks
from lit_infer.tasks import Row

Colour = tuple[int, int, int]
Ground = tuple[float, float, float, float]
"""left, top, right, bottom."""
Layer = NDArray[Any] | Image.Image | None
"""What a row has no room for: a mask [height, width], or the answer as a picture."""
_OVER = 0.5
"""How opaque masks are."""
_HEAT = 0.6
"""And heat, as in the report; where there is little of it, less."""
_STRIP = 2**22
"""Pixels that are blended at once."""
_LEGEND = 8
"""Classes that a legend names."""
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)
_UNDER_ALPHA = (128, 128, 128)
"""What a picture lies on where it is transparent."""


def annotate(image: Image.Image, row: Row, layer: Layer, table: Table) -> Image.Image:
    """An RGB image of the size that a row, and the layer if there is one, are for, with them drawn over it in place;
    with a picture that was made of it beside it, a new one.
    """
    canvas = _Canvas(image)
    KINDS[table.task.kind](canvas, row, layer, table)
    return canvas.image


class _Canvas:
    """An image with pens that suit its size."""

    def __init__(self, image: Image.Image) -> None:
        self.image = image
        self.draw = ImageDraw.Draw(image)
        longest = max(image.size)
        self.line = max(1, round(longest / 300))
        self._gap = 2 * self.line
        self.font = ImageFont.load_default(min(160, max(10, round(longest / 40))))

    def text(self, x: float, y: float, words: str, colour: Colour, *, above: bool = False) -> float:
        """Words on a ground of this colour, all of it in the image where it has the room; its lower edge."""
        width, height = self.size_of(words)
        x = max(0.0, min(x, self.image.width - width))
        y = max(0.0, min(y - height if above else y, self.image.height - height))
        left, top, _, _ = self.draw.textbbox((0, 0), words, font=self.font)
        self.draw.rectangle((x, y, x + width, y + height), fill=colour)
        ink = _BLACK if sum(part * weight for part, weight in zip(colour, (3, 6, 1), strict=True)) > 1300 else _WHITE
        self.draw.text((x + self._gap - left, y + self._gap - top), words, fill=ink, font=self.font)
        return y + height

    def size_of(self, words: str) -> tuple[float, float]:
        """Of their ground."""
        left, top, right, bottom = self.draw.textbbox((0, 0), words, font=self.font)
        return right - left + 2 * self._gap, bottom - top + 2 * self._gap

    def room(self, x: float, y: float, words: str, taken: Sequence[Ground], away: float) -> Ground | None:
        """Where words fit beside, above or below a place without covering what is taken; None: nowhere."""
        width, height = self.size_of(words)
        for left, top in (
            (x + away, y - height / 2),
            (x - away - width, y - height / 2),
            (x - width / 2, y - away - height),
            (x - width / 2, y + away),
        ):
            area = (left, top, left + width, top + height)
            fits = left >= 0 and top >= 0 and area[2] <= self.image.width and area[3] <= self.image.height
            if fits and not any(_overlap(area, other) for other in taken):
                return area
        return None


def _overlap(one: Ground, other: Ground) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _title(canvas: _Canvas, row: Row, _: Any, table: Table) -> None:
    """Of an image as a whole: what it is, in its corner."""
    shown = table.show(row)
    score = "" if shown.score is None else f" {shown.score:.0%}"
    canvas.text(0, 0, (shown.title or "no label") + score, _BLACK)


def _boxes(canvas: _Canvas, row: Row, _: Any, __: Table) -> None:
    """The best ones last, over all others."""
    for one in reversed(row["boxes"]):
        colour = _colour(one["index"])
        left, top, right, bottom = one["box"]
        canvas.draw.rectangle(
            (left, top, max(left, right - 1), max(top, bottom - 1)), outline=colour, width=canvas.line
        )
        canvas.text(left, top, f"{one['label']} {one['score']:.0%}", colour, above=True)


def _points(canvas: _Canvas, row: Row, _: Any, table: Table) -> None:
    """The lines first; a point outside of what the model saw is a ring."""
    points = {one["index"]: one for one in row["points"]}
    for first, second in table.reading.facts.edges(table.reading.labels):
        if first in points and second in points:
            ends = [(one["x"], one["y"]) for one in (points[first], points[second])]
            canvas.draw.line(ends, fill=_BLACK, width=3 * canvas.line)  # seen on a bright ground, too
            canvas.draw.line(ends, fill=_WHITE, width=canvas.line)
    radius = 2 * canvas.line
    taken: list[Ground] = []
    for one in row["points"]:
        x, y, colour = one["x"], one["y"], _colour(one["index"])
        taken.append((x - radius, y - radius, x + radius, y + radius))
        fill, outline = (None, colour) if one["outside"] else (colour, _WHITE)
        canvas.draw.ellipse(taken[-1], fill=fill, outline=outline)
    for one in row["points"]:  # the names last, where they cover no point and no other name
        words = one["label"] if one["score"] is None else f"{one['label']} {one['score']:.0%}"
        if (area := canvas.room(one["x"], one["y"], words, taken, 1.5 * radius)) is not None:
            taken.append(area)
            canvas.text(area[0], area[1], words, _colour(one["index"]))


def _mask(canvas: _Canvas, row: Row, mask: NDArray[Any] | None, _: Table) -> None:
    """The classes in the colours of their PNG, but for the background, and their names in the corner."""
    shown = [one for one in row["areas"] if not masks.is_background(one["label"])]
    if mask is not None:
        _blend(canvas.image, mask, {one["index"]: _of_class(one["index"]) for one in shown})
    lower = 0.0
    for one in shown[:_LEGEND]:
        lower = canvas.text(0, lower, f"{one['label']} {one['share']:.1%}", _of_class(one["index"]))


def _instances(canvas: _Canvas, row: Row, mask: NDArray[Any] | None, table: Table) -> None:
    """The pixels of each in the colour of its class, and the boxes over them."""
    if mask is not None:  # numbers of instances from 1, the best first
        colours = {number: _colour(one["index"]) for number, one in enumerate(row["boxes"], 1)}
        _blend(canvas.image, mask, colours)
    _boxes(canvas, row, None, table)


def _heat(canvas: _Canvas, row: Row, heat: Image.Image | None, table: Table) -> None:
    """The map in the colours of heat, if there is one, and in the corner what it comes to."""
    if heat is not None:
        opacity = [round(level * _HEAT) for level in range(256)]
        for box in _strips(canvas.image):
            strip = heat.crop(box)
            canvas.image.paste(strip.convert("RGB"), box, strip.getchannel("A").point(opacity))
    _title(canvas, row, None, table)


def _beside(canvas: _Canvas, _: Row, made: Image.Image | None, __: Table) -> None:
    """The image, and to its right what was made of it, both of the larger one's size."""
    if made is None:
        return
    size = max(canvas.image.size, made.size, key=lambda sides: sides[0] * sides[1])
    pair = Image.new("RGB", (2 * size[0], size[1]), _UNDER_ALPHA)
    for left, one in ((0, canvas.image), (size[0], made)):
        whole = one if one.size == size else one.resize(size, Image.Resampling.BICUBIC)
        pair.paste(whole.convert("RGB"), (left, 0), whole.getchannel("A") if "A" in whole.getbands() else None)
    canvas.image = pair


def _strips(image: Image.Image) -> Iterator[tuple[int, int, int, int]]:
    """Its boxes of few pixels, from top to bottom."""
    rows = max(1, _STRIP // max(1, image.width))
    for top in range(0, image.height, rows):
        yield (0, top, image.width, min(image.height, top + rows))


def _blend(image: Image.Image, mask: NDArray[Any], colours: Mapping[int, Colour]) -> None:
    """Colour the pixels of these values, a strip after the other."""
    size = int(mask.max(initial=0)) + 1
    known = {value: colour for value, colour in colours.items() if value < size}
    table, inks = np.zeros(size, bool), np.zeros((size, 3), np.uint8)
    for value, colour in known.items():
        table[value], inks[value] = True, colour
    for box in _strips(image):
        part = mask[box[1] : box[3]]
        there = table[part]
        strip = np.array(image.crop(box))
        over = inks[part[there]]
        strip[there] = (strip[there] * (1 - _OVER) + over * _OVER).astype(np.uint8)
        image.paste(Image.fromarray(strip), box)


def _of_class(index: int) -> Colour:
    """As the palette of a mask's PNG has it."""
    red, green, blue = html_masks.colour(index)
    return red, green, blue


def _colour(index: int) -> Colour:
    red, green, blue = html_boxes.colour(index)
    return red, green, blue


KINDS: dict[str, Callable[[_Canvas, Row, Any, Table], None]] = {
    "classes": _title,
    "labels": _title,
    "values": _title,
    "mask": _mask,
    "boxes": _boxes,
    "instances": _instances,
    "points": _points,
    "image": _beside,
    "anomaly": _heat,
}
"""By kind. Vectors and tensors are nothing to see."""
