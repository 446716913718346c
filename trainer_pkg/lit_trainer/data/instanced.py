"""Images with boxes and a mask for each, transformed together, and a target of one size for any number of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

from lit_infer.errors import UsageError
from lit_trainer.data.boxed import NONE


class InstanceTarget(NamedTuple):
    """What is in an image, or in each of a batch."""

    boxes: Tensor
    """float32 [..., most, 5]: class and box of each, in pixels of the transformed image; class -1: there is none."""
    masks: Tensor
    """uint8 [..., most, height, width]: 1 where it is."""


class InstancePart(Dataset[tuple[Tensor, InstanceTarget]]):
    """Some of the (PIL image, (boxes, classes, masks)) pairs of `items`, under a transform of torchvision v2.

    Boxes are [n, 4], left, top, right, bottom in pixels, and masks bool [n, height, width].
    """

    def __init__(self, items: Any, indices: Sequence[int], transform: v2.Compose, *, most: int = 8) -> None:
        self.items, self.indices, self.transform, self.most = items, indices, transform, most

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> tuple[Tensor, InstanceTarget]:
        image, (boxes, classes, masks) = self.items[self.indices[index]]
        if len(boxes) > self.most:
            raise UsageError(f"an image has {len(boxes)} instances, and a target room for {self.most}")
        given = tv_tensors.BoundingBoxes(
            torch.from_numpy(boxes), format="XYXY", canvas_size=(image.height, image.width)
        )
        pixels, found, inside = self.transform(image, given, tv_tensors.Mask(torch.from_numpy(masks.astype("uint8"))))
        target = torch.full((self.most, 5), float(NONE))
        target[: len(boxes), 0] = torch.from_numpy(classes).float()
        target[: len(boxes), 1:] = found.as_subclass(Tensor)
        every = torch.zeros((self.most, *pixels.shape[1:]), dtype=torch.uint8)
        every[: len(boxes)] = inside.as_subclass(Tensor)
        return pixels, InstanceTarget(target, every)
