"""An image that is cut into tiles: decoded, turned upright where that is a step, and handed out box by box.

A TIFF that `strips` can read is never in memory as a whole; any other image is, as it was decoded.
"""

import os
import stat
import time
from collections.abc import Sequence

import numpy as np
from PIL import Image

from lit_infer.errors import InputError
from lit_infer.images import pixels
from lit_infer.images.limits import Limits
from lit_infer.images.notes import noticed
from lit_infer.images.pictures import Picture, size_of
from lit_infer.images.pixels import ImageInput
from lit_infer.images.preprocess import Step, reading
from lit_infer.images.steps import turned
from lit_infer.images.strips import Strips, open_strips

_CURES = {
    "too_many_pixels": "raise --max-pixels, or --max-side (max_pixels, max_side of Limits)",
    "too_many_bytes": "raise --max-bytes (max_bytes of Limits)",
}
"""What lets a large image through, by the code of its error: of models that cut images, large ones are expected."""


class CutImage:
    """The pixels of one image, by boxes. Close it."""

    def __init__(self, source: Picture | Strips, notes: tuple[str, ...], took: tuple[float, float]) -> None:
        self._source = source
        self.size = source.size if isinstance(source, Strips) else size_of(source)
        """(width, height)."""
        self.notes = notes
        self.took = took
        """Milliseconds that reading and decoding took so far."""

    def crop(self, left: int, top: int, right: int, bottom: int) -> Picture:
        """The pixels in a box, which lies in the image; later boxes do not begin above earlier ones.

        Raises InputError where they cannot be decoded.
        """
        source = self._source
        if isinstance(source, Strips):
            started = time.perf_counter()
            try:
                return source.crop(left, top, right, bottom)
            finally:
                self.took = self.took[0], self.took[1] + (time.perf_counter() - started) * 1e3
        if isinstance(source, Image.Image):
            return source.crop((left, top, right, bottom))
        return np.ascontiguousarray(source[top:bottom, left:right])

    def close(self) -> None:
        """Let the pixels, or the file, go."""
        if isinstance(self._source, Strips):
            self._source.close()


def open_cut(item: ImageInput, *, steps: Sequence[Step], limits: Limits) -> CutImage:
    """An image that is to be cut; `steps` say how it is read and whether it is turned. Raises InputError."""
    try:
        return _in_parts(item, steps, limits) or _whole(item, steps, limits)
    except InputError as error:
        if (cure := _CURES.get(error.code)) is None:
            raise
        raise InputError(f"{error}: {cure}", code=error.code) from None


def _in_parts(item: ImageInput, steps: Sequence[Step], limits: Limits) -> CutImage | None:
    """A file that need not be in memory as a whole; None for others, and for what is no file."""
    read = reading(steps)
    if not isinstance(item, str | os.PathLike) or (read is not None and read.library != "pil"):
        return None
    started = time.perf_counter()
    try:
        strips = open_strips(item, limits) if stat.S_ISREG(os.stat(item).st_mode) else None
    except (OSError, ValueError):  # whoever reads the whole file says what is wrong
        return None
    if strips is None:
        return None
    notes = noticed(b"II*\0", strips.header, turns=pixels.turns(steps), read=read)
    return CutImage(strips, notes, ((time.perf_counter() - started) * 1e3, 0.0))


def _whole(item: ImageInput, steps: Sequence[Step], limits: Limits) -> CutImage:
    started = time.perf_counter()
    data = pixels.read(item, limits=limits)
    read_at = time.perf_counter()
    image = pixels.decode(data, steps=steps, limits=limits)
    notes = noticed(data, image, turns=pixels.turns(steps), read=reading(steps))
    image = turned(image, steps, limits)
    done_at = time.perf_counter()
    return CutImage(image, notes, ((read_at - started) * 1e3, (done_at - read_at) * 1e3))
