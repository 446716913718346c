"""Images with points, transformed together."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

UNKNOWN = 0
"""In a target: the length of a point that nobody marked, or that the transform cut off."""


class PointedPart(Dataset[tuple[Tensor, Tensor]]):
    """Some of the (PIL image, (points, scale)) pairs of `items`, under a transform of torchvision v2.

    Points are float32 [k, 2] in pixels, NaN where nobody marked one; `scale` is the longer side of the box around what
    they show, NaN if there is none. A target is float32 [k, 3]: x and y in pixels of the transformed image, and the
    length that PCK measures by there, that of the box or of the image.
    """

    def __init__(self, items: Any, indices: Sequence[int], transform: v2.Compose) -> None:
        self.items, self.indices, self.transform = items, indices, transform

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image, (points, scale) = self.items[self.indices[index]]
        places = torch.from_numpy(points)
        ruler = torch.tensor(
            [[0.0, 0.0], [0.0 if math.isnan(scale) else scale, 0.0]]
        )  # to see what becomes of a length
        given = tv_tensors.KeyPoints(
            torch.cat((places.nan_to_num(), ruler)), canvas_size=(image.height, image.width), dtype=torch.float32
        )
        pixels, found = self.transform(image, given)
        moved = found.as_subclass(Tensor)
        height, width = pixels.shape[-2:]
        length = float((moved[-1] - moved[-2]).norm()) or float(max(height, width))
        inside = ((moved[:-2] >= 0) & (moved[:-2] <= torch.tensor([width, height]))).all(-1)
        known = ~places.isnan().any(-1) & inside
        target = torch.cat((moved[:-2], torch.full((len(places), 1), length)), dim=1)
        return pixels, torch.where(known[:, None], target, torch.full_like(target, UNKNOWN))
