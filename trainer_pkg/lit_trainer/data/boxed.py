"""Images with boxes, transformed together, and a target of one size for any number of boxes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

from lit_infer.errors import UsageError

NONE = -1
"""The class of a row of a target that is no box."""


class BoxedPart(Dataset[tuple[Tensor, Tensor]]):
    """Some of the (PIL image, (boxes, classes)) pairs of `items`, under a transform of torchvision v2.

    Boxes are [n, 4]: left, top, right, bottom in pixels. A target is float32 [most, 5]: class and box of each, in
    pixels of the transformed image, and rows of class -1 for those that there are not.
    """

    def __init__(self, items: Any, indices: Sequence[int], transform: v2.Compose, *, most: int = 32) -> None:
        self.items, self.indices, self.transform, self.most = items, indices, transform, most

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image, (boxes, classes) = self.items[self.indices[index]]
        if len(boxes) > self.most:
            raise UsageError(f"an image has {len(boxes)} boxes, and a target room for {self.most}")
        canvas = (image.height, image.width)
        given = tv_tensors.BoundingBoxes(torch.from_numpy(boxes), format="XYXY", canvas_size=canvas)
        pixels, found = self.transform(image, given)
        target = torch.full((self.most, 5), float(NONE))
        target[: len(boxes), 0] = torch.from_numpy(classes).float()
        target[: len(boxes), 1:] = found.as_subclass(Tensor)
        return pixels, target
