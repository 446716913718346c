"""Images and what is anomalous in them, as MVTec's data sets are laid out.

    root/test/good/000.png    root/test/crack/000.png    root/ground_truth/crack/000_mask.png

`test/` may be the root itself. Masks need not be there; where they are, each anomalous image has one. What is not 0 in
a mask is anomalous; in an image of `good/` nothing is.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lit_infer.errors import InputError, NotFoundError, UsageError
from lit_infer.folder.listing import list_images
from lit_infer.images import SUFFIXES
from lit_infer.images.pixels import prepare
from lit_infer.tasks.anomaly_detection import GOOD

TEST, MASKS = "test", "ground_truth"
_ENDS = ("_mask", "")
_SUFFIXES = (".png", ".tif", ".tiff", ".bmp")


@dataclass(frozen=True)
class AnomalyTruth:
    """What is known of an image."""

    is_anomalous: bool
    has_pixels: bool = False
    """Whether its anomalous pixels are known."""
    mask: Path | None = None
    """Where they are; None: there are none."""

    def pixels(self, size: tuple[int, int]) -> NDArray[np.bool_]:
        """Whether each pixel of an image of `size` (height, width) is anomalous. Raises UsageError."""
        if self.mask is None:
            return np.zeros(size, bool)
        try:
            found = prepare(self.mask, steps=(), channels=3)
        except InputError as error:
            raise UsageError(f"{self.mask} cannot be used: {error}") from None
        if found.shape[:2] != size:
            sides = " x ".join(map(str, found.shape[1::-1]))
            raise UsageError(f"{self.mask} has {sides} pixels, and its image {size[1]} x {size[0]}")
        marked: NDArray[np.bool_] = (found != 0).any(-1)
        return marked


def of(root: Path, suffixes: frozenset[str] = SUFFIXES) -> list[tuple[Path, AnomalyTruth]]:
    """All images, folder by folder. Raises NotFoundError where there is no `good/`, UsageError for a missing mask."""
    top = root / TEST if (root / TEST / GOOD).is_dir() else root
    if not (top / GOOD).is_dir():
        raise NotFoundError(f"expected {GOOD}/ with images, and a folder beside it for each kind of anomaly")
    above = top.absolute().parent if top.absolute().name == TEST else top
    masks = above / MASKS if (above / MASKS).is_dir() else None
    folders = sorted(
        path for path in top.iterdir() if path.is_dir() and not path.name.startswith(".") and path != masks
    )
    return [(path, _truth(path, folder, masks)) for folder in folders for path in list_images([folder], suffixes)]


def _truth(image: Path, folder: Path, masks: Path | None) -> AnomalyTruth:
    if masks is None:
        return AnomalyTruth(folder.name != GOOD)
    if folder.name == GOOD:
        return AnomalyTruth(is_anomalous=False, has_pixels=True)
    beside = (masks / folder.name / image.relative_to(folder)).with_suffix("")
    tried = [beside.with_name(beside.name + end + suffix) for end in _ENDS for suffix in _SUFFIXES]
    mask = next((path for path in tried if path.is_file()), None)
    if mask is None:
        raise UsageError(f"{image} has no mask: expected {tried[0]}, as {masks} has those of others")
    return AnomalyTruth(is_anomalous=True, has_pixels=True, mask=mask)
