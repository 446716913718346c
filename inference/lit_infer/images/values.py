"""The steps that change what pixels hold and leave them where they are, as the manifest has them."""

import math
from typing import Literal

from msgspec import Struct

from lit_infer.images.mapping import Placement
from lit_infer.images.resizing import LIBRARY_NAMES

MOST_CHANNELS = 32
Depth = Literal["uint8", "uint16", "float32"]
_MODE_CHANNELS = {"rgb": 3, "gray": 1}


class _StaysInPlace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step that moves no pixel."""

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of its output: the same."""
        return width, height

    @property
    def fixed_size(self) -> None:
        """None: its output's size depends on the image."""

    def placement(self, width: int, height: int) -> Placement:
        """Where an image lies in its output: where it was."""
        del width, height
        return Placement()


class ExifTranspose(_StaysInPlace, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Turn the image upright by its EXIF orientation; without this step the orientation is ignored.

    It comes first: the orientation describes the image as stored in its file.
    """

    def describe(self) -> str:
        """In words."""
        return "turn it upright by its EXIF orientation"


class ReadImage(_StaysInPlace, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a file becomes pixels. Without this step: by Pillow, as RGB, or grey for a model of one channel."""

    mode: Literal["rgb", "gray", "unchanged"] = "rgb"
    """`unchanged`: in the channels and the depth that the file has."""
    library: Literal["pil", "opencv", "tifffile", "numpy"] = "pil"
    """OpenCV turns images upright by their EXIF orientation, unless they are read unchanged."""
    depth: Depth = "uint8"
    """What a value of the file is. A file with others is an error, except that fewer bits fit into more."""
    background: tuple[int, int, int] | None = None
    """The colour that shows through where the image is transparent; None: alpha is dropped."""
    layout: Literal["hwc", "chw"] | None = None
    """Of an array of three sides; None: as the file says."""

    def __post_init__(self) -> None:
        if self.mode == "gray" and self.library in ("tifffile", "numpy"):
            raise ValueError(f"read: {LIBRARY_NAMES[self.library]} reads files unchanged; add grayscale after it")
        if self.depth != "uint8" and self.mode != "unchanged":
            raise ValueError(f"read: images of {self.depth} are read unchanged; RGB and grey have 8 bits")
        if self.background is not None and (self.library != "pil" or self.mode == "unchanged"):
            raise ValueError("read: background is for PIL images that become RGB or grey")

    @property
    def channels(self) -> int | None:
        """Channels of what is read; None if the file says."""
        return _MODE_CHANNELS.get(self.mode)

    def describe(self) -> str:
        """In words."""
        how = {"rgb": "as RGB", "gray": "as grey", "unchanged": "unchanged"}[self.mode]
        over = f", transparent parts over {', '.join(map(str, self.background))}" if self.background else ""
        return f"read {how}, by {LIBRARY_NAMES[self.library]}{over}"


class Grayscale(_StaysInPlace, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """RGB to grey, in the arithmetic of `library`."""

    channels: Literal[1, 3] = 1
    """One, or three equal ones."""
    library: Literal["pil", "torch", "opencv"] = "pil"

    def describe(self) -> str:
        """In words."""
        count = "three equal channels" if self.channels == 3 else "one channel"
        return f"make it grey, {count}, by {LIBRARY_NAMES[self.library]}"


class Channels(_StaysInPlace, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Choose or reorder channels: [2, 1, 0] makes BGR of RGB, [3, 2, 1] takes three bands of a satellite's."""

    order: tuple[int, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.order) <= MOST_CHANNELS or min(self.order) < 0:
            raise ValueError(f"channels: order has 1 to {MOST_CHANNELS} indices from 0, not {list(self.order)}")

    def describe(self) -> str:
        """In words."""
        return f"take its channels {', '.join(map(str, self.order))}, counted from 0"


class Scale(_StaysInPlace, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Divide all values by a number, in float32: 255 for 8 bits, 65535 for 16, 1 for values as they are."""

    by: float = 255.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.by) and self.by > 0):
            raise ValueError(f"scale: by {self.by} must be a positive number")

    def describe(self) -> str:
        """In words."""
        return "values as they are, in float32" if self.by == 1 else f"divide by {self.by:g}"


class Stretch(_StaysInPlace, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Scale each image by its own values, in float32."""

    kind: Literal["min_max", "percentile", "standard"] = "min_max"
    """The least and the largest value, or the percentiles `low` and `high`, become 0 and 1; or the mean becomes 0 and
    the deviation 1."""
    low: float = 0.0
    high: float = 100.0
    """Percentiles, 0 to 100."""
    per_channel: bool = False
    clip: bool = False
    """Whether values beyond the percentiles become 0 and 1."""
    limit: float | None = None
    """What is beyond it, above or below 0, becomes it; albumentations has 20."""
    epsilon: float = 0.0
    """Added to what is divided by."""

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high <= 100:
            raise ValueError(f"stretch: low {self.low} and high {self.high} are percentiles, 0 to 100")
        if self.limit is not None and not (math.isfinite(self.limit) and self.limit > 0):
            raise ValueError(f"stretch: limit {self.limit} must be a positive number")
        if not (math.isfinite(self.epsilon) and self.epsilon >= 0):
            raise ValueError(f"stretch: epsilon {self.epsilon} must not be negative")

    def describe(self) -> str:
        """In words."""
        of = {
            "min_max": "its least and largest value to 0 and 1",
            "percentile": f"its percentiles {self.low:g} and {self.high:g} to 0 and 1",
            "standard": "its mean to 0 and its deviation to 1",
        }[self.kind]
        alone = ", each channel alone" if self.per_channel else ""
        limit = f", at most {self.limit:g} from 0" if self.limit is not None else ""
        return f"scale {of}{alone}{limit}"


class Normalize(_StaysInPlace, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Per-channel mean and standard deviation, on scaled values. Inside the graph, unless it is a step."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or not 1 <= len(self.mean) <= MOST_CHANNELS:
            raise ValueError(f"normalize: mean and std have one value for each channel, 1 to {MOST_CHANNELS}")
        if not all(math.isfinite(v) for v in (*self.mean, *self.std)):
            raise ValueError(f"normalize: mean {self.mean} and std {self.std} must be finite")
        if min(self.std) <= 0:
            raise ValueError(f"normalize: std {self.std} must be positive")

    def describe(self) -> str:
        """In words."""
        mean, std = (", ".join(f"{value:g}" for value in values) for values in (self.mean, self.std))
        return f"normalize by mean {mean} and deviation {std}"
