"""The steps that resize, as the manifest has them; what they do to pixels is in `resampling`.

Each knows the size of its output and where an image lies in it. Sizes of images are (width, height), those in a
manifest (height, width), as the libraries have them.
"""

from typing import Literal

from msgspec import Struct

from lit_infer.images.framing import Fill, Pad, Position, Size, filled
from lit_infer.images.mapping import Placement

Interpolation = Literal[
    "nearest",
    "nearest_exact",
    "box",
    "bilinear",
    "hamming",
    "bicubic",
    "lanczos",
    "area",
    "bilinear_corners",
    "bicubic_corners",
]
"""`corners`: the middles of the corner pixels stay where they are, torch's `align_corners=True`."""
Library = Literal["pil", "torch", "opencv"]
Rounding = Literal["down", "nearest", "up", "nearest_quotient"]

LIBRARY_NAMES: dict[str, str] = {
    "pil": "Pillow",
    "torch": "torch's tensors",
    "opencv": "OpenCV",
    "tifffile": "tifffile",
    "numpy": "NumPy",
}
INTERPOLATIONS: dict[Library, tuple[Interpolation, ...]] = {
    "pil": ("nearest", "nearest_exact", "box", "bilinear", "hamming", "bicubic", "lanczos"),
    "torch": ("nearest", "nearest_exact", "bilinear", "bicubic", "area", "bilinear_corners", "bicubic_corners"),
    "opencv": ("nearest", "nearest_exact", "bilinear", "bicubic", "lanczos", "area"),
}
"""What each library can do."""
OF_FLOATS: tuple[Interpolation, ...] = ("area", "bilinear_corners", "bicubic_corners")
"""What torch does to float tensors only."""
_PLAIN = ("nearest", "nearest_exact", "box", "area", "bilinear_corners", "bicubic_corners")
"""Without a filter that could be antialiased."""


def _check_resampling(name: str, library: Library, interpolation: Interpolation, *, antialias: bool) -> None:
    if interpolation not in INTERPOLATIONS[library]:
        known = ", ".join(INTERPOLATIONS[library])
        raise ValueError(f"{name}: {LIBRARY_NAMES[library]} has no interpolation {interpolation}; it has {known}")
    if library == "pil" and not antialias and interpolation not in _PLAIN:
        raise ValueError(f"{name}: PIL's {interpolation} always antialiases; antialias must be true")


def _filters(*given: Interpolation | None) -> bool:
    return any(one not in (None, "nearest", "nearest_exact") for one in given)


def _by(library: Library, interpolation: Interpolation, *, antialias: bool) -> str:
    is_told = library != "opencv" and interpolation not in _PLAIN
    told = (", antialiased" if antialias else ", not antialiased") if is_told else ""
    return f"{interpolation}{told}, by {LIBRARY_NAMES[library]}"


def _rounded(value: float, rounding: Rounding) -> int:
    whole = int(value)
    if rounding == "down":
        return whole
    return whole + (value > whole) if rounding == "up" else round(value)


class Resize(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Resize, in the arithmetic of `library`."""

    size: Size | None = None
    """An int is the length of the side that `side` names; a pair is (height, width). None where `scale` is given."""
    side: Literal["shorter", "longest", "height", "width"] = "shorter"
    keep_ratio: Literal["fit", "cover"] | None = None
    """Of a pair: the image keeps its ratio and fits into it, or covers it."""
    max_size: int | None = None
    """The most that the longer side may have where `size` is the shorter one."""
    scale: float | None = None
    """Both sides times this."""
    rounding: Rounding = "down"
    """How a length that follows from the ratio becomes whole: torchvision cuts, albumentations takes the nearest.
    `nearest_quotient` divides by before / after, as timm does, where `nearest` multiplies by after / before."""
    interpolation: Interpolation = "bilinear"
    shrinking: Interpolation | None = None
    """Another interpolation for images that get smaller."""
    antialias: bool = True
    library: Library = "pil"
    """Which resize training used. A resized tensor differs from a resized PIL image in some pixels."""

    def __post_init__(self) -> None:
        sides = self.size if isinstance(self.size, tuple) else (1 if self.size is None else self.size,)
        if min(sides) < 1:
            raise ValueError(f"resize: size {self.size} must be positive")
        if (self.size is None) == (self.scale is None):
            raise ValueError("resize: give either size or scale")
        if self.scale is not None and not 0 < self.scale <= 64:
            raise ValueError(f"resize: scale {self.scale} must be above 0, and 64 at most")
        if self.keep_ratio is not None and not isinstance(self.size, tuple):
            raise ValueError(f"resize: keep_ratio needs a size of [height, width], not {self.size}")
        is_shorter = isinstance(self.size, int) and self.side == "shorter"
        if self.max_size is not None and not (is_shorter and self.max_size >= self.size):  # type: ignore[operator]
            raise ValueError(f"resize: max_size {self.max_size} needs a size of one shorter side, not above it")
        for interpolation in (self.interpolation, self.shrinking):
            if interpolation is not None:
                _check_resampling("resize", self.library, interpolation, antialias=self.antialias)

    @property
    def filters(self) -> bool:
        """Whether it computes new values, and does not only pick some."""
        return _filters(self.interpolation, self.shrinking)

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of its output for an image of that size."""
        if isinstance(self.size, tuple) and self.keep_ratio is None:
            return self.size[1], self.size[0]
        is_torchvision = isinstance(self.size, int) and self.side in ("shorter", "longest")
        if not is_torchvision or self.rounding != "down":
            return self._times(width, height)
        short, long = sorted((width, height))
        new_short, new_long = self._sides(short, long)
        return (new_short, new_long) if width <= height else (new_long, new_short)

    def _times(self, width: int, height: int) -> tuple[int, int]:
        """Both sides times one ratio."""
        after, before = self._ratio(width, height)
        if self.rounding == "nearest_quotient":
            sides = [round(side / (before / after)) for side in (width, height)]
        else:
            sides = [_rounded(side * (after / before), self.rounding) for side in (width, height)]
        return max(1, sides[0]), max(1, sides[1])

    def _ratio(self, width: int, height: int) -> tuple[float, float]:
        """A length after and before, whose ratio both sides have."""
        if self.scale is not None:
            return self.scale, 1.0
        if isinstance(self.size, tuple):
            sides = ((self.size[0], height), (self.size[1], width))
            choose = min if self.keep_ratio == "fit" else max
            return choose(sides, key=lambda side: side[0] / side[1])
        named = {"shorter": min(width, height), "longest": max(width, height), "height": height, "width": width}
        return self._length(), named[self.side]

    def _sides(self, short: int, long: int) -> tuple[int, int]:
        """As torchvision has them, which divides last."""
        size = self._length()
        if self.side == "longest":
            return max(1, int(size * short / long)), size
        new_short, new_long = size, int(size * long / short)
        if self.max_size is not None and new_long > self.max_size:
            new_short, new_long = max(1, int(self.max_size * new_short / new_long)), self.max_size
        return new_short, new_long

    def _length(self) -> int:
        assert isinstance(self.size, int)  # noqa: S101 - where it is a pair, that is the answer
        return self.size

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """(height, width) of its output for any image; None if that depends on the image."""
        return self.size if isinstance(self.size, tuple) and self.keep_ratio is None else None

    def used(self, before: tuple[int, int], after: tuple[int, int]) -> Interpolation:
        """The interpolation from one (width, height) to another."""
        is_smaller = after[0] < before[0] or after[1] < before[1]
        return self.shrinking if self.shrinking is not None and is_smaller else self.interpolation

    def placement(self, width: int, height: int) -> Placement:
        """Where an image of that size lies in its output."""
        to = self.output_size(width, height)
        if not self.interpolation.endswith("_corners"):
            return Placement(to[0] / width, to[1] / height)
        scale_x, scale_y = (
            (after - 1 or 1) / (before - 1 or 1) for before, after in zip((width, height), to, strict=True)
        )
        return Placement(scale_x, scale_y, 0.5 - 0.5 * scale_x, 0.5 - 0.5 * scale_y)

    def describe(self) -> str:
        """In words."""
        size = self.size
        if self.scale is not None:
            to = f"by {self.scale:g}"
        elif isinstance(size, tuple):
            kept = {"fit": "until it fits into ", "cover": "until it covers ", None: "to "}[self.keep_ratio]
            to = f"{kept}{size[0]} x {size[1]} (height x width)"
        else:
            most = f", the other to {self.max_size} at most" if self.max_size else ""
            named = f"{self.side} side" if self.side in ("shorter", "longest") else self.side
            to = f"its {named} to {size}{most}"
        smaller = f"; {self.shrinking} where it gets smaller" if self.shrinking else ""
        return f"resize {to}, {_by(self.library, self.interpolation, antialias=self.antialias)}{smaller}"


class Letterbox(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Resize until the image fits into `size` with its ratio kept, then pad to `size`."""

    size: Size
    """An int is both sides; a pair is (height, width)."""
    position: Position = "center"
    fill: Fill = 114.0
    enlarge: bool = True
    """Whether an image that is smaller than `size` is enlarged."""
    rounding: Literal["down", "nearest", "up"] = "nearest"
    interpolation: Interpolation = "bilinear"
    shrinking: Interpolation | None = None
    antialias: bool = True
    library: Library = "pil"

    def __post_init__(self) -> None:
        if min(self.height_width) < 1:
            raise ValueError(f"letterbox: size {self.size} must be positive")
        for interpolation in (self.interpolation, self.shrinking):
            if interpolation is not None:
                _check_resampling("letterbox", self.library, interpolation, antialias=self.antialias)

    @property
    def filters(self) -> bool:
        """Whether it computes new values, and does not only pick some."""
        return _filters(self.interpolation, self.shrinking)

    @property
    def height_width(self) -> tuple[int, int]:
        """Its output's (height, width)."""
        return self.size if isinstance(self.size, tuple) else (self.size, self.size)

    def resize(self, width: int, height: int) -> Resize:
        """Its first half, for an image of that size."""
        wide, high = self.inner_size(width, height)
        return Resize(
            size=(high, wide),
            interpolation=self.interpolation,
            shrinking=self.shrinking,
            antialias=self.antialias,
            library=self.library,
        )

    @property
    def pad(self) -> Pad:
        """Its second half."""
        return Pad(size=self.height_width, position=self.position, fill=self.fill)

    def inner_size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of the image inside its output."""
        high, wide = self.height_width
        ratio = min(high / height, wide / width)
        if not self.enlarge:
            ratio = min(ratio, 1.0)
        return (
            min(wide, max(1, _rounded(width * ratio, self.rounding))),
            min(high, max(1, _rounded(height * ratio, self.rounding))),
        )

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of its output for any image."""
        del width, height
        return self.height_width[1], self.height_width[0]

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """(height, width) of its output for any image."""
        return self.height_width

    def placement(self, width: int, height: int) -> Placement:
        """Where an image of that size lies in its output."""
        inner = self.inner_size(width, height)
        left, top, _, _ = self.pad.margins(*inner)
        return Placement(inner[0] / width, inner[1] / height, left, top)

    def describe(self) -> str:
        """In words."""
        height, width = self.height_width
        by = _by(self.library, self.interpolation, antialias=self.antialias)
        return (
            f"fit into {height} x {width} (height x width) with its ratio kept, {by}, "
            f"padded with {filled(self.fill)}, the image {self.position.replace('_', ' ')}"
        )
