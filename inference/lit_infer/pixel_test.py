"""Does this host prepare images as the exporting one did? The bundle's stored images are prepared again."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lit_infer import images, npz
from lit_infer.errors import ArtifactError, LitError
from lit_infer.graph_source import held
from lit_infer.manifest import Manifest

_MOST_BYTES = 256_000_000
PIXEL_PACKAGES = ("pillow", "simplejpeg", "opencv-python-headless", "opencv-python", "tifffile")
"""Packages of which another release may decode or resize to other pixels."""


@dataclass(frozen=True)
class PixelTest:
    """The outcome for the stored images of a bundle."""

    images: int
    max_difference: float = 0.0
    """The largest difference of any value of a prepared image."""
    reason: str = ""
    """Why they are not what they were; empty if they are."""

    @property
    def said(self) -> str:
        """In a line."""
        if self.reason:
            return f"pixels failed: {self.reason}"
        return f"pixels ok: {self.images} stored images are prepared as they were at export"


def tested(folder: Path, described: Manifest) -> PixelTest | None:
    """Prepare the stored images. None for a bundle without any; raises ArtifactError for another file."""
    if described.pixels is None:
        return None
    path = folder / Path(described.pixels).name
    arrays = npz.checked(held(path), sha256=described.pixels_sha256, limit=_MOST_BYTES)
    names = [name.removeprefix("file_") for name in arrays if name.startswith("file_")]
    if not names or set(arrays) != {f"{kind}_{name}" for kind in ("file", "pixels") for name in names}:
        raise ArtifactError(f"{path} holds no images with what was prepared of each. Export or fetch it again")
    channels, worst = described.image_shape[2], 0.0
    for name in names:
        try:
            found = images.prepare(arrays[f"file_{name}"].tobytes(), steps=described.preprocess, channels=channels)
        except LitError as error:
            return PixelTest(len(names), reason=f"a stored image cannot be prepared here: {error}")
        wanted = arrays[f"pixels_{name}"]
        if found.shape != wanted.shape or found.dtype != wanted.dtype:
            return PixelTest(len(names), reason=f"a stored image is prepared as {found.dtype} {list(found.shape)} here")
        difference = np.abs(found.astype(np.float64) - wanted.astype(np.float64))
        worst = max(worst, float(difference.max(initial=0)))
    limit = 0.0 if described.inputs[0].dtype.startswith("uint") else 1e-4
    known = described.made_with.versions
    versions = ", ".join(f"{name} {known[name]}" for name in PIXEL_PACKAGES if name in known)
    made_with = versions or "versions that it does not record"
    reason = (
        f"stored images are prepared otherwise here, by up to {worst:.3g} (exported with {made_with}): install those, "
        "or export again with the versions of this host"
    )
    return PixelTest(len(names), worst, reason if worst > limit else "")
