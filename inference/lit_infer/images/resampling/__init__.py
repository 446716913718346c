"""Resizing in the arithmetic of the library that training used: a table, `RESAMPLE`.

Every function takes a picture and gives one of exactly `size`, (width, height), which is not the one it has.
"""

from collections.abc import Callable

from lit_infer.images.pictures import Picture
from lit_infer.images.resampling import by_opencv, by_pillow, by_torch
from lit_infer.images.resizing import Interpolation, Library

Resample = Callable[[Picture, tuple[int, int], Interpolation, bool], Picture]
"""Picture, size, interpolation, antialias."""

RESAMPLE: dict[Library, Resample] = {
    "pil": by_pillow.resized,
    "torch": by_torch.resized,
    "opencv": by_opencv.resized,
}

ResamplePart = Callable[[Picture, tuple[int, int], Interpolation, bool, tuple[int, int, int, int]], Picture | None]
"""As `Resample`, of which only a box is wanted; None where that cannot be had by itself."""

RESAMPLE_PART: dict[Library, ResamplePart] = {"pil": by_pillow.resized_part, "torch": by_torch.resized_part}
"""Those that compute no more than what a crop keeps."""
