"""The preprocessing steps as the manifest has them: each knows the size of its output and describes itself.

What they do to pixels is in `steps`; a step is a struct here and a row in every table of steps.
"""

import math
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from lit_infer.errors import UsageError

Size = int | tuple[int, int]  # the shorter side, or (height, width)

_LIBRARY_NAMES = {"pil": "Pillow"}


class Resize(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Resize as `torchvision.transforms.v2.Resize` does, in the arithmetic of `library`."""

    size: Size
    """An int is the length of the shorter side; a pair is (height, width)."""
    interpolation: Literal["nearest", "bilinear", "bicubic"] = "bilinear"
    antialias: bool = True
    library: Literal["pil"] = "pil"
    """Which resize training used. A resized tensor differs from a resized PIL image in some pixels."""

    def __post_init__(self) -> None:
        sides = self.size if isinstance(self.size, tuple) else (self.size,)
        if min(sides) < 1:
            raise ValueError(f"resize: size {self.size} must be positive")
        if not self.antialias and self.interpolation != "nearest":
            raise ValueError(f"resize: PIL's {self.interpolation} always antialiases; antialias must be true")

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of its output for an image of that size."""
        if isinstance(self.size, tuple):
            return self.size[1], self.size[0]
        short, long = sorted((width, height))
        longer = int(self.size * long / short)
        return (self.size, longer) if width <= height else (longer, self.size)

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """(height, width) of its output for any image; None if that depends on the image."""
        return self.size if isinstance(self.size, tuple) else None

    def describe(self) -> str:
        """In words."""
        size = self.size
        to = f"to {size[0]} x {size[1]} (height x width)" if isinstance(size, tuple) else f"its shorter side to {size}"
        antialiased = ", antialiased" if self.antialias else ""
        return f"resize {to}, {self.interpolation}{antialiased}, by {_LIBRARY_NAMES[self.library]}"


class CenterCrop(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Crop the centre as `torchvision.transforms.v2.CenterCrop` does; smaller images are padded with zeros."""

    size: Size
    """An int is both sides; a pair is (height, width)."""

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

    def describe(self) -> str:
        """In words."""
        height, width = self.height_width
        return f"crop the centre, {height} x {width} (height x width)"


class ExifTranspose(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Turn the image upright by its EXIF orientation; without this step the orientation is ignored.

    It comes first: the orientation describes the image as stored in its file.
    """

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of an image without an orientation, which it leaves unchanged."""
        return width, height

    @property
    def fixed_size(self) -> None:
        """None: its output's size depends on the image."""

    def describe(self) -> str:
        """In words."""
        return "turn it upright by its EXIF orientation"


AnyStep = ExifTranspose | Resize | CenterCrop


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of host-side preprocessing: exactly one of its fields is set."""

    exif_transpose: ExifTranspose | UnsetType = UNSET
    resize: Resize | UnsetType = UNSET
    center_crop: CenterCrop | UnsetType = UNSET

    def __post_init__(self) -> None:
        given = [name for name in self.__struct_fields__ if getattr(self, name) is not UNSET]
        if len(given) != 1:
            choices = ", ".join(self.__struct_fields__)
            raise ValueError(f"a preprocess step must have exactly one of {choices}; this one has {given or 'none'}")

    @property
    def kind(self) -> str:
        """Its name in the manifest, and its key in the tables of steps."""
        return self._set()[0]

    @property
    def value(self) -> AnyStep:
        """The one field that is set."""
        return self._set()[1]

    def _set(self) -> tuple[str, AnyStep]:
        for name in self.__struct_fields__:  # a loop: this is asked several times for each image
            value = getattr(self, name)
            if value is not UNSET:
                return name, value
        raise AssertionError("one is set")  # __post_init__ saw to it


class Normalize(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Per-channel mean and standard deviation, on values scaled to [0, 1]. Inside the graph."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or len(self.mean) not in (1, 3):
            raise ValueError("normalize: mean and std have one value (grayscale) or three (RGB) each")
        if not all(math.isfinite(v) for v in (*self.mean, *self.std)):
            raise ValueError(f"normalize: mean {self.mean} and std {self.std} must be finite")
        if min(self.std) <= 0:
            raise ValueError(f"normalize: std {self.std} must be positive")


def check_steps(preprocess: tuple[Step, ...]) -> None:
    """Raises ValueError for steps in an order that has no meaning."""
    if any(step.kind == "exif_transpose" for step in preprocess[1:]):
        raise ValueError("preprocess: exif_transpose comes first; after another step there is no orientation to apply")


def height_width(preprocess: tuple[Step, ...]) -> tuple[int, int]:
    """The size of every image after the steps, following the last one that fixes a size."""
    size: tuple[int, int] | None = None
    for step in preprocess:
        if (fixed := step.value.fixed_size) is not None:
            size = fixed
        elif size is not None:
            width, height = step.value.output_size(size[1], size[0])
            size = height, width
    if size is None:
        raise UsageError(
            "preprocess gives images of varying size: end it with a center_crop or a resize to [height, width]"
        )
    return size
