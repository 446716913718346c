"""Task `image-to-image`: a picture, or a map of values, for each image."""

import io
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lit_infer.errors import InputError
from lit_infer.images.blending import Blend, Cells
from lit_infer.images.limits import Limits
from lit_infer.images.mapping import Placement, WayBack
from lit_infer.images.png import COLOUR_TYPES, base64_text, png
from lit_infer.images.tiles import Grid, Tile
from lit_infer.tasks.spec import (
    MEDIA,
    Agreement,
    AnswerFile,
    Ask,
    Metric,
    Outputs,
    Reading,
    Row,
    Shown,
    TaskSpec,
    Tiled,
)

Range = Literal["0..1", "-1..1", "0..255", "normalized", "values"]
MOST = {8: 255, 16: 65535}
"""By the bits of a channel: its largest value."""


class PictureFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the module's numbers are, and how large its pictures become."""

    range: Range | None = None
    """From black to white; `normalized`: as the module's input is; `values`: no brightness, such as depths. In the
    graph all but values become 0 to 1. None: found out at export."""
    size: Literal["original", "scaled"] | None = None
    """A picture has the size of the image as it was given, or the module's factor times that. None: scaled where the
    preprocessing resizes nothing."""
    bits: Literal[8, 16] = 8
    """Of a channel in a PNG."""
    output: str | None = None
    """Which of the module's outputs it is. None: found out at export."""

    def check(self, labels: tuple[str, ...] | None, size: int | None) -> None:
        """Nothing can be wrong beyond the types."""

    @property
    def are_values(self) -> bool:
        """Whether it answers numbers that are no brightness."""
        return self.range == "values"


_FILE = msgspec.Meta(
    extra_json_schema={"type": "string", "contentEncoding": "base64"},
    description="The file that `media` says; of a PNG, 0 stands for `low` and the largest value for `high`",
)


class MadePicture(msgspec.Struct, frozen=True, eq=False):
    """What was made of an image."""

    image: Annotated[NDArray[Any], _FILE]
    """[height, width, channels]: uint8 or uint16; float32 for values."""
    media: str
    """Of the file in JSON: a PNG; for values of several channels an array of NumPy."""
    low: float
    high: float
    width: int
    height: int
    mean: float
    """Of the module's numbers, 0 black and 1 white, where the model saw the image; before they are cut to that."""
    min: float
    max: float
    outside: int
    """Pixels that the model did not see, since preprocessing cut them off: they are 0."""

    def parts(self) -> dict[str, Any]:
        """As JSON has it: the picture as a file in base64; of values a PNG of 16 bits, from `low` to `high`."""
        _, data = _encoded(self) if self.media != MEDIA[".png"] or self.image.dtype != np.float32 else _grey(self)
        return {**msgspec.structs.asdict(self), "image": base64_text(data)}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MadePicture):
            return NotImplemented
        return self.image.dtype == other.image.dtype and np.array_equal(self.image, other.image)

    def __hash__(self) -> int:
        return hash(self.image.tobytes())


def _encoded(answer: MadePicture) -> tuple[str, bytes]:
    """A PNG; an array of NumPy for values, which keeps them as they are."""
    if answer.image.dtype != np.float32:
        return ".png", png(answer.image)
    file = io.BytesIO()
    np.save(file, answer.image[:, :, 0] if answer.image.shape[2] == 1 else answer.image)
    return ".npy", file.getvalue()


def _grey(answer: MadePicture) -> tuple[str, bytes]:
    return ".png", png(_levels(answer.image, answer.low, answer.high, 16))


def _levels(values: NDArray[Any], low: float, high: float, bits: int) -> NDArray[Any]:
    """Whole numbers from 0 for `low` to the most that so many bits hold for `high`."""
    shares = np.clip((values - np.float32(low)) / np.float32((high - low) or 1), 0, 1)
    found: NDArray[Any] = np.rint(shares * MOST[bits]).astype(np.uint8 if bits == 8 else np.uint16)
    return found


def read(outputs: Outputs, asks: Sequence[Ask], reading: Reading) -> list[MadePicture | InputError]:
    """Pictures [batch, channels, height, width] as those of the images as they were."""
    return [_read(row, ask, reading.facts) for row, ask in zip(outputs[0], asks, strict=True)]


def _read(row: NDArray[Any], ask: Ask, facts: PictureFacts) -> MadePicture | InputError:
    channels, height, width = row.shape
    way = ask.way
    if way is None:
        way = WayBack((width, height), (width, height), Placement(), (0, 0, width, height))
    elif facts.size == "scaled":
        way = way.enlarged(height / way.size[1])
        try:
            _check_size(*way.original, ask.limits)
        except InputError as error:
            return error
    seen = np.multiply.outer(*(counts > 0 for counts in way.counts(height, width)))
    shown = row[:, seen] if seen.any() else np.zeros((channels, 1), np.float32)
    low, high = (float(shown.min()), float(shown.max())) if facts.are_values else (0.0, 1.0)
    made = np.empty((way.original[1], way.original[0], channels), _dtype(facts))
    for channel, plane in enumerate(row):  # one after the other: only one is there in float32
        back = way.smooth(plane)
        made[:, :, channel] = back if facts.are_values else _levels(back, 0, 1, facts.bits)
    rows, columns = (int(counts.sum()) for counts in way.counts(height, width))
    return MadePicture(
        made,
        media=MEDIA[".npy" if facts.are_values and channels > 1 else ".png"],
        low=low,
        high=high,
        width=way.original[0],
        height=way.original[1],
        mean=float(shown.mean(dtype=np.float64)),
        min=float(shown.min()),
        max=float(shown.max()),
        outside=way.original[0] * way.original[1] - rows * columns,
    )


def _check_size(width: int, height: int, limits: Limits) -> None:
    """Raise InputError for a picture that would be over the limits of images."""
    try:
        limits.check_pixels(width, height)
    except InputError as error:
        raise InputError(f"its picture would have {error}", code=error.code) from None


def _dtype(facts: PictureFacts) -> Any:
    return np.float32 if facts.are_values else np.uint8 if facts.bits == 8 else np.uint16


class MergedPicture:
    """The picture of an image in tiles: the mean where they overlap, or that of the tile that is nearest."""

    def __init__(self, of: Tiled, *, by_mean: bool) -> None:
        self._of, self._by_mean, self._facts = of, by_mean, of.reading.facts
        self._whole: _Whole | None = None
        self._error: InputError | None = None

    def add(self, row: Outputs, tile: Tile) -> None:
        """Take a picture [channels, height, width]; the first one says how large the whole becomes."""
        if self._error is None and self._whole is None:
            try:
                self._whole = self._begun(row[0].shape)
            except InputError as error:
                self._error = error
        if self._whole is not None:
            self._whole.joined.add(np.stack([self._whole.way.smooth(plane) for plane in row[0]]), tile)

    def _begun(self, shape: Sequence[int]) -> "_Whole":
        grid, way = self._of.grid, self._of.way
        if self._facts.size == "scaled":
            factor = shape[1] / way.size[1]
            if factor != round(factor):
                words = f"pictures of {factor:g} times the sides of a tile are not merged: answers: {{size: original}}"
                raise InputError(words, code="bad_shape")
            grid, way = grid.enlarged(round(factor)), way.enlarged(factor)
            _check_size(grid.width, grid.height, self._of.ask.limits)
        return _Whole(grid, way, shape[0], self._facts, by_mean=self._by_mean)

    def answer(self) -> MadePicture | InputError:
        """The picture, once all tiles are there."""
        if self._whole is None:
            return self._error or InputError("has no tiles", code="bad_shape")
        return self._whole.answer()


class _Whole:
    """A picture that grows."""

    def __init__(self, grid: Grid, way: WayBack, channels: int, facts: PictureFacts, *, by_mean: bool) -> None:
        self.way, self._facts = way, facts
        self._made = np.zeros((grid.height, grid.width, channels), _dtype(facts))
        self.joined = Blend(grid, way, "mean", self._take) if by_mean else Cells(grid, way, self._take)
        self._low, self._high, self._sum = np.inf, -np.inf, 0.0

    def _take(self, block: NDArray[np.float32], top: int, left: int) -> None:
        rows, columns = slice(top, top + block.shape[1]), slice(left, left + block.shape[2])
        seen = self.joined.rows_seen[rows, None] & self.joined.columns_seen[columns]
        if not seen.any():
            return
        shown = block[:, seen]
        self._low, self._high = min(self._low, float(shown.min())), max(self._high, float(shown.max()))
        self._sum += float(shown.sum(dtype=np.float64))
        for channel, plane in enumerate(block):
            values = plane if self._facts.are_values else _levels(plane, 0, 1, self._facts.bits)
            np.copyto(self._made[rows, columns, channel], values, where=seen)

    def answer(self) -> MadePicture:
        """What became of it."""
        height, width, channels = self._made.shape
        seen = int(self.joined.rows_seen.sum()) * int(self.joined.columns_seen.sum())
        least, most = (self._low, self._high) if seen else (0.0, 0.0)
        low, high = (least, most) if self._facts.are_values else (0.0, 1.0)
        return MadePicture(
            self._made,
            media=MEDIA[".npy" if self._facts.are_values and channels > 1 else ".png"],
            low=low,
            high=high,
            width=width,
            height=height,
            mean=self._sum / (seen * channels) if seen else 0.0,
            min=least,
            max=most,
            outside=width * height - seen,
        )


def row(answer: MadePicture) -> Row:
    """An answer as columns; whoever writes the picture to a file adds its path."""
    named = ("width", "height", "mean", "min", "max", "outside")
    return {**{name: getattr(answer, name) for name in named}, "image": None}


def show(line: Row) -> Shown:
    """A row as it is displayed."""
    details = tuple((name, line[name]) for name in ("mean", "min", "max"))
    return Shown(f"{line['width']} x {line['height']}", None, details)


class PictureTally:
    """The range of all values, and what was not seen."""

    def __init__(self, reading: Reading) -> None:
        self._are_values = reading.facts.are_values
        self._count = self._outside = 0
        self._sum, self._min, self._max = 0.0, np.inf, -np.inf

    def add(self, line: Row, truths: Mapping[str, str | None]) -> None:
        """Count a row."""
        del truths
        self._count += 1
        self._sum += line["mean"]
        self._min, self._max = min(self._min, line["min"]), max(self._max, line["max"])
        self._outside += line["outside"]

    def lines(self) -> list[str]:
        """The range, and where pictures lack something."""
        if not self._count:
            return []
        found = [f"values: {self._min:.4g} to {self._max:.4g}, mean {self._sum / self._count:.4g}"]
        if not self._are_values:
            found[0] += " (0 is black, 1 white; what lies beyond is cut off)"
        if self._outside:
            found.append(f"not seen by the model, since its preprocessing cuts them off: {self._outside:,} pixels")
        return found

    def verdict(self) -> str:
        """Nothing is known."""
        return ""


def equal_pixels(one: NDArray[Any], other: NDArray[Any], reading: Reading) -> NDArray[np.float64]:
    """For each row, the share of values that are equal in 8 bits; where they are no brightness, from least to most."""
    low, high = (float(other.min()), float(other.max())) if reading.facts.are_values else (0.0, 1.0)
    same: NDArray[np.float64] = (_levels(one, low, high, 8) == _levels(other, low, high, 8)).mean((1, 2, 3))
    return same


def drawn(answer: MadePicture) -> Image.Image | None:
    """As a picture of 8 bits; values from the least, black, to the most. None for other than 1, 3 or 4 channels."""
    image = answer.image
    if not is_picture(image.shape[2]):
        return None
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    elif image.dtype == np.float32:
        image = _levels(image, answer.low, answer.high, 8)
    return Image.fromarray(np.ascontiguousarray(image[:, :, 0] if image.shape[2] == 1 else image))


def is_picture(channels: int) -> bool:
    """Whether so many channels are a picture: grey, colours, colours with alpha."""
    return channels in COLOUR_TYPES


TASK = TaskSpec(
    name="image-to-image",
    does="makes a picture of each image",
    kind="image",
    facts=PictureFacts,
    answer=MadePicture,
    read=read,
    columns=lambda _: {
        "width": "integer",
        "height": "integer",
        "mean": "number",
        "min": "number",
        "max": "number",
        "outside": "integer",
        "image": "text",
    },
    row=row,
    show=show,
    headings=("size", "", "values"),
    tally=PictureTally,
    agreement=Agreement("equal 8-bit values", equal_pixels),
    metric=Metric("PSNR", better="max", is_share=False),
    size_of=lambda _: None,
    maps_back=True,
    merges=lambda _: {
        "mean": lambda of: MergedPicture(of, by_mean=True),
        "centre": lambda of: MergedPicture(of, by_mean=False),
    },
    drawn=drawn,
    has_drawn=lambda reading: not reading.outputs or is_picture(reading.outputs[0].shape[1]),
    file=AnswerFile("images", "image", _encoded),
    pipeline_tag="image-to-image",
    cautions=("It makes pixels up: what it shows need not have been there.",),
)
