"""Images beside a mask of each: `root/images/a/1.jpg` and `root/masks/a/1.png`, whose values are class indices.

255 is a pixel that nobody labelled, as in PASCAL VOC. Masks of two classes that hold 0 and 255 and never a 1 are black
and white: there 255 is the class 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lit_infer.errors import InputError, UsageError
from lit_infer.folder.pairs import PairWords, paired
from lit_infer.images import SUFFIXES
from lit_infer.images.limits import DEFAULT_LIMITS
from lit_infer.images.masks import OUTSIDE
from lit_infer.images.pixels import decode, read

IMAGES, MASKS = "images", "masks"
_SUFFIXES = frozenset({".png", ".tif", ".tiff", ".bmp", ".gif"})
_OPEN = OUTSIDE["uint8"]


@dataclass(frozen=True)
class MaskFolder:
    """The images below a folder, each with its mask."""

    pairs: tuple[tuple[Path, Path], ...]
    classes: int | None
    """How many there are; None: not known."""

    @classmethod
    def of(cls, root: Path, *, classes: int | None, suffixes: frozenset[str] = SUFFIXES) -> "MaskFolder":
        """Raises NotFoundError where the two folders are not there, UsageError for an image without its mask."""
        words = PairWords(IMAGES, MASKS, "a mask", "masks")
        return cls(paired(root, words, suffixes=suffixes, others=_SUFFIXES), classes)

    def mask(self, index: int) -> NDArray[Any]:
        """Class indices [height, width], uint8 or uint16; the largest value is a pixel that nobody labelled."""
        path = self.pairs[index][1]
        found = _values(path)
        if self.is_black_and_white:
            return np.where(found == _OPEN, 1, found).astype(np.uint8)
        if self.classes is not None:
            most = int(found[found != OUTSIDE[found.dtype.name]].max(initial=0))
            if most >= self.classes:
                raise UsageError(f"{path} has the class {most}, and there are {self.classes}, from 0")
        return found

    @cached_property
    def is_black_and_white(self) -> bool:
        """Whether 255 is the second class: looked for until a mask, most often the first, says that it is not."""
        if self.classes != 2:
            return False
        seen = False
        for _, path in self.pairs:
            values = np.unique(_values(path))
            if not np.isin(values, (0, _OPEN)).all():
                return False
            seen = seen or _OPEN in values
        return seen


def _values(path: Path) -> NDArray[Any]:
    """A mask's values as they are stored: a palette's indices, not its colours."""
    try:
        image = decode(read(path), steps=(), limits=DEFAULT_LIMITS)
    except InputError as error:
        raise UsageError(f"{path} cannot be used: {error}") from None
    if isinstance(image, Image.Image) and image.mode in ("1", "L", "P", "I;16", "I;16B", "I"):
        values = np.asarray(image)
        if image.mode == "1":
            return values.astype(np.uint8)
        return values if values.dtype == np.uint8 else values.astype(np.uint16)
    raise UsageError(
        f"{path} is a picture in colours, not a mask of class indices: write the index of each pixel's class as a grey "
        "or palette PNG"
    )


def sizes_match(mask: NDArray[Any], size: Sequence[int], path: object) -> None:
    """Raise UsageError for a mask that is not as large as its image. `size`: (width, height)."""
    height, width = mask.shape
    if (width, height) != tuple(size):
        raise UsageError(
            f"the mask of {path} is {width} x {height}, and the image {size[0]} x {size[1]}: they must match"
        )
