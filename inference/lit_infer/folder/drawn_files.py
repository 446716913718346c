"""`--draw DIR`: a copy of each image with what was found in it drawn over it: `DIR/a/cat.jpg.jpg`.

A picture that was made of an image is beside it. JPEGs stay JPEGs, all others become PNGs. What the model was not
given, the EXIF orientation of most, turns no copy.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from lit_infer import progress
from lit_infer.folder import drawing
from lit_infer.folder.file_folder import FileFolder
from lit_infer.folder.partial import Entry
from lit_infer.folder.table import Table
from lit_infer.images import FORMATS
from lit_infer.predictions import Prediction

_QUALITY = 92
_LONGEST = 65_500
"""Pixels of a side that a JPEG can have, for libjpeg."""
_FAST = 3
"""Of a PNG's nine levels of compression."""


class DrawnFiles(FileFolder):
    """Writes the annotated copies of a run. There is one image in memory at a time."""

    what = "annotated images"

    def __init__(self, folder: Path, table: Table, *, root: str, resume: bool, turns: bool) -> None:
        """`turns`: whether the model sees images turned upright by their EXIF orientation."""
        super().__init__(folder, root=root, resume=resume)
        self._table, self._turns = table, turns
        self._left_out = 0

    def add(self, entry: Entry) -> None:
        """Draw an image; one that Pillow cannot read as a picture is left out, and told."""
        if entry.prediction.error is not None:
            return
        path = entry.row["path"]
        try:
            image, is_jpeg = _read(entry.loaded.image, turns=self._turns)
        except Exception as error:  # Pillow raises anything; the prediction is there all the same
            self._left_out += 1
            if self._left_out == 1:
                progress.note(f"warning: {path} is not drawn: Pillow cannot read it ({type(error).__name__})")
            return
        drawn, file = drawing.annotate(image, entry.row, self._layer(entry.prediction), self._table), io.BytesIO()
        is_jpeg = is_jpeg and max(drawn.size) <= _LONGEST
        if is_jpeg:
            drawn.save(file, "JPEG", quality=_QUALITY, subsampling=0)
        else:
            drawn.save(file, "PNG", compress_level=_FAST)
        self.written_as(path, file.getvalue(), ".jpg" if is_jpeg else ".png")

    def _layer(self, found: Prediction) -> drawing.Layer:
        picture = self._table.task.drawn
        return found.mask if picture is None else picture(found.answer)

    def finish(self) -> None:
        """Say how many are missing, and give the folder its name."""
        if self._left_out > 1:
            progress.note(f"warning: {self._left_out} images are not drawn")
        super().finish()


def _read(source: Path | bytes, *, turns: bool) -> tuple[Image.Image, bool]:
    """An image in 8 bits of RGB, and whether it is a JPEG."""
    with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
        is_jpeg = image.format == "JPEG"
        upright = ImageOps.exif_transpose(image) if turns else image
        if upright.mode.startswith("I") or upright.mode == "F":
            return Image.fromarray(_eight_bits(np.asarray(upright))).convert("RGB"), is_jpeg
        return upright.convert("RGB"), is_jpeg


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """From black to white as far as the values go: 16 bits, or numbers of any range."""
    least, most = float(values.min()), float(values.max())
    if values.dtype.kind in "iu" and least >= 0 and most < 65536:
        return (values >> 8 if most > 255 else values).astype(np.uint8)
    return ((values - least) * (255 / max(most - least, 1e-12))).astype(np.uint8)
