"""Images with a mask of each, transformed together: what is cut, flipped or resized is so in both."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2


class MaskedPart(Dataset[tuple[Tensor, Tensor]]):
    """Some of the (PIL image, mask) pairs of `items`, under a transform of torchvision v2.

    A mask is an array [height, width] of class indices; as a target it is int64, and resized by the nearest value.
    """

    def __init__(self, items: Any, indices: Sequence[int], transform: v2.Compose) -> None:
        self.items, self.indices, self.transform = items, indices, transform

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image, mask = self.items[self.indices[index]]
        pixels, target = self.transform(image, tv_tensors.Mask(torch.from_numpy(mask.astype("int64"))))
        return pixels, target.as_subclass(Tensor)
