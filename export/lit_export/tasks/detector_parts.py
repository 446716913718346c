"""What torchvision's detectors have in common: how they resize images (`GeneralizedRCNNTransform`), for batches."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def resized(own: Any, images: Tensor) -> Tensor:
    """Normalised, then resized to the detector's own size. `own`: its `transform`."""
    images = own.normalize(images)
    height, width = images.shape[2:]
    if own.fixed_size is not None:
        return functional.interpolate(images, (own.fixed_size[1], own.fixed_size[0]), mode="bilinear")
    scale = min(own.min_size[-1] / min(height, width), own.max_size / max(height, width))
    size = math.floor(height * scale), math.floor(width * scale)
    return functional.interpolate(images, size, mode="bilinear", align_corners=False)


def padded(own: Any, images: Tensor) -> Tensor:
    """To sides that its features divide."""
    stride = own.size_divisible
    height, width = images.shape[2:]
    return functional.pad(images, (0, -width % stride, 0, -height % stride))


def in_pixels_of(images: Tensor, boxes: Tensor, inner: tuple[int, int]) -> Tensor:
    """Boxes [..., 4] in pixels of the images, from those of the resized ones, which are `inner` (height, width)."""
    height, width = images.shape[2:]
    scaled = (boxes[..., 0::2] * (width / inner[1]), boxes[..., 1::2] * (height / inner[0]))
    return torch.stack(scaled, dim=-1).flatten(-2)


def are_alike(own: dict[str, Tensor], best: Any, labels: Any, corners: Any) -> bool:
    """Whether a module's own dict and these found the same, in any order of equal scores."""
    scores, boxes = own["scores"].numpy(), own["boxes"].numpy()
    if len(scores) != len(best) or not np.allclose(scores, best, rtol=1e-3, atol=1e-5):
        return False
    for label, box in zip(own["labels"].numpy(), boxes, strict=True):
        near = np.abs(corners - box).max(-1) <= 1e-3 * max(1.0, float(np.abs(box).max()))
        if not (near & (labels == label)).any():
            return False
    return True
