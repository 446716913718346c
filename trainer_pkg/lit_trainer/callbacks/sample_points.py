"""Points in prediction samples: drawn into the picture, since W&B draws none over it."""

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from lit_infer.tasks import correct_points
from lit_infer.tasks.keypoint_detection import FoundPoints
from lit_trainer.data.pointed import UNKNOWN

_FOUND, _TRUE, _LINE = (255, 220, 0), (0, 255, 120), (255, 255, 255)


def as_points(targets: Tensor) -> Tensor:
    """The answers of a model that is always right, of targets [batch, k, 3]: it scores 0 for what nobody marked."""
    return torch.cat((targets[..., :2], (targets[..., 2:] != UNKNOWN).to(targets.dtype)), dim=-1)


def drawn(picture: Image.Image, found: FoundPoints, truth: FoundPoints) -> Image.Image:
    """The picture with the points that were found as dots, joined, and the true ones as crosses."""
    image = picture.convert("RGB")
    draw, size = ImageDraw.Draw(image), max(1, max(image.size) // 48)
    places = {one.index: (one.x, one.y) for one in found.points}
    for first, second in found.skeleton:
        if first in places and second in places:
            draw.line((places[first], places[second]), fill=_LINE)
    for one in truth.points:
        draw.line((one.x - 2 * size, one.y, one.x + 2 * size, one.y), fill=_TRUE)
        draw.line((one.x, one.y - 2 * size, one.x, one.y + 2 * size), fill=_TRUE)
    for x, y in places.values():
        draw.ellipse((x - size, y - size, x + size, y + size), fill=_FOUND)
    return image


def is_right(picture: Image.Image, found: FoundPoints, truth: FoundPoints) -> bool:
    """Whether all points are as near as PCK wants it, as a share of the picture's longer side."""
    places = {one.index: (one.x, one.y) for one in found.points}
    pairs = [(places.get(one.index, (np.nan, np.nan)), (one.x, one.y)) for one in truth.points]
    there, known = np.array(pairs).reshape(-1, 2, 2).swapaxes(0, 1)
    off = correct_points.distances(there, known, max(picture.size))
    return bool((off <= correct_points.SHARES[correct_points.METRIC]).all())
