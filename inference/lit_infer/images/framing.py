"""The steps that cut or add pixels at the edges, as the manifest has them.

Each knows the size of its output and where an image lies in it. Sizes of images are (width, height), those in a
manifest (height, width), as the libraries have them.
"""

from typing import Literal

from msgspec import Struct

from lit_infer.images.mapping import Placement

Size = int | tuple[int, int]
"""One length, or (height, width)."""
Fill = float | tuple[float, ...]
"""One value, or one for each channel, as training had it: 0 to 255, or scaled where the step comes after scaling."""
Position = Literal["center", "top_left", "top_right", "bottom_left", "bottom_right"]


class CenterCrop(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Crop the centre; where that has an odd number of pixels around it, `rounding` says which way."""

    size: Size
    """An int is both sides; a pair is (height, width)."""
    rounding: Literal["even", "down", "halves"] = "even"
    """Half a pixel goes to the even number, as `torchvision.transforms.v2.CenterCrop` has it, or down, as in
    albumentations; MONAI takes half of the one length from half of the other, both cut to whole numbers."""
    smaller: Literal["pad", "pad_more_first", "error"] = "pad"
    """Images smaller than the crop are padded with zeros, as by torchvision, or are an error, as in albumentations. Of
    an odd number of missing pixels the smaller half comes first, or the larger one, as by Hugging Face with Pillow."""

    @property
    def height_width(self) -> tuple[int, int]:
        """The crop's (height, width)."""
        return self.size if isinstance(self.size, tuple) else (self.size, self.size)

    def __post_init__(self) -> None:
        if min(self.height_width) < 1:
            raise ValueError(f"center_crop: size {self.size} must be positive")

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of its output for any image."""
        del width, height
        return self.height_width[1], self.height_width[0]

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """(height, width) of its output for any image."""
        return self.height_width

    def box(self, width: int, height: int) -> tuple[int, int, int, int]:
        """(left, top, right, bottom) in an image of that size; negative or beyond it if the image is too small."""
        crop_height, crop_width = self.height_width
        left, top = self._start(width, crop_width), self._start(height, crop_height)
        return left, top, left + crop_width, top + crop_height

    def _start(self, length: int, wanted: int) -> int:
        if wanted > length:
            missing = wanted - length
            return -((missing + 1) // 2) if self.smaller == "pad_more_first" else -(missing // 2)
        if self.rounding == "halves":
            return length // 2 - wanted // 2
        # Python rounds halves to even; so does torchvision, which computes this in Python.
        return round((length - wanted) / 2.0) if self.rounding == "even" else (length - wanted) // 2

    def placement(self, width: int, height: int) -> Placement:
        """Where an image of that size lies in its output."""
        left, top, _, _ = self.box(width, height)
        return Placement(shift_x=-left, shift_y=-top)

    def describe(self) -> str:
        """In words."""
        height, width = self.height_width
        return f"crop the centre, {height} x {width} (height x width)"


class Crop(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cut a box out of the image, or a fraction out of its middle. Exactly one is given."""

    box: tuple[int, int, int, int] | None = None
    """left, top, right, bottom in pixels; an image that it does not fit in is an error."""
    fraction: float | None = None
    """The share of each side that stays, above 0, at most 1; half a pixel goes down."""

    def __post_init__(self) -> None:
        if (self.box is None) == (self.fraction is None):
            raise ValueError("crop: give either box or fraction")
        if self.box is not None and not (0 <= self.box[0] < self.box[2] and 0 <= self.box[1] < self.box[3]):
            raise ValueError(f"crop: box {list(self.box)} must be left, top, right, bottom, of some pixels")
        if self.fraction is not None and not 0 < self.fraction <= 1:
            raise ValueError(f"crop: fraction {self.fraction} must be above 0, and 1 at most")

    def at(self, width: int, height: int) -> tuple[int, int, int, int]:
        """(left, top, right, bottom) in an image of that size."""
        if self.box is not None:
            return self.box
        fraction = self.fraction or 1.0
        wide, high = max(1, int(width * fraction)), max(1, int(height * fraction))
        left, top = (width - wide) // 2, (height - high) // 2
        return left, top, left + wide, top + high

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of its output for an image of that size."""
        left, top, right, bottom = self.at(width, height)
        return right - left, bottom - top

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """(height, width) of its output for any image; None if that depends on the image."""
        return None if self.box is None else (self.box[3] - self.box[1], self.box[2] - self.box[0])

    def placement(self, width: int, height: int) -> Placement:
        """Where an image of that size lies in its output."""
        left, top, _, _ = self.at(width, height)
        return Placement(shift_x=-left, shift_y=-top)

    def describe(self) -> str:
        """In words."""
        if self.box is not None:
            return f"crop the box {', '.join(map(str, self.box))} (left, top, right, bottom)"
        return f"crop the middle, {self.fraction:g} of each side"


def _split(missing: int, *, at_end: bool, centered: bool) -> tuple[int, int]:
    """How much is added before and after: of an odd number the smaller part is before."""
    if centered:
        return missing // 2, missing - missing // 2
    return (0, missing) if at_end else (missing, 0)


def _margins(missing: tuple[int, int], position: Position) -> tuple[int, int, int, int]:
    """left, top, right, bottom of what is added, for an image that stays at `position`."""
    centered = position == "center"
    left, right = _split(missing[0], at_end=position.endswith("left"), centered=centered)
    top, bottom = _split(missing[1], at_end=position.startswith("top"), centered=centered)
    return left, top, right, bottom


class Pad(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Add pixels around the image: up to a size, to a multiple, to a square, or by amounts. Exactly one is given."""

    size: Size | None = None
    """The least that the image has after it; larger images stay. An int is both sides; a pair is (height, width)."""
    multiple: Size | None = None
    """Each side becomes a multiple of this."""
    square: bool = False
    """The shorter side becomes as long as the longer one."""
    amounts: tuple[int, int, int, int] | None = None
    """left, top, right, bottom."""
    position: Position = "center"
    """Where the image stays. In the centre, the smaller half of an odd number comes first."""
    mode: Literal["constant", "reflect", "symmetric", "replicate"] = "constant"
    """`reflect` leaves the edge out, `symmetric` repeats it."""
    fill: Fill = 0.0

    def __post_init__(self) -> None:
        given = [self.size is not None, self.multiple is not None, self.square, self.amounts is not None]
        if sum(given) != 1:
            raise ValueError("pad: give one of size, multiple, square and amounts")
        for value in (self.size, self.multiple):
            if value is not None and min(value if isinstance(value, tuple) else (value,)) < 1:
                raise ValueError(f"pad: {value} must be positive")
        if self.amounts is not None and min(self.amounts) < 0:
            raise ValueError(f"pad: amounts {list(self.amounts)} must not be negative; use crop")

    def margins(self, width: int, height: int) -> tuple[int, int, int, int]:
        """left, top, right, bottom: what is added to an image of that size."""
        if self.amounts is not None:
            return self.amounts
        if self.square:
            longest = max(width, height)
            return _margins((longest - width, longest - height), self.position)
        given = self.multiple if self.size is None else self.size
        high, wide = given if isinstance(given, tuple) else (given or 1, given or 1)
        missing = (
            (max(0, wide - width), max(0, high - height)) if self.size is not None else (-width % wide, -height % high)
        )
        return _margins(missing, self.position)

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of its output for an image of that size."""
        left, top, right, bottom = self.margins(width, height)
        return left + width + right, top + height + bottom

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """None: larger images stay larger."""
        return None

    def placement(self, width: int, height: int) -> Placement:
        """Where an image of that size lies in its output."""
        left, top, _, _ = self.margins(width, height)
        return Placement(shift_x=left, shift_y=top)

    def describe(self) -> str:
        """In words."""
        what = {
            "to at least": self.size,
            "to a multiple of": self.multiple,
            "by (left, top, right, bottom)": self.amounts,
            "to a square": self.square or None,
        }
        word, value = next((word, value) for word, value in what.items() if value is not None)
        shown = "" if value is True else f" {value if isinstance(value, int) else ', '.join(map(str, value))}"
        edges = f"with {filled(self.fill)}" if self.mode == "constant" else self.mode
        return f"pad {word}{shown}, the image {self.position.replace('_', ' ')}, {edges}"


def filled(fill: Fill) -> str:
    """The colour in words."""
    return f"{fill:g}" if isinstance(fill, float | int) else ", ".join(f"{value:g}" for value in fill)
