"""Images with the picture that should be made of each, prepared alike."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import v2


class PicturedPart(Dataset[tuple[Tensor, Tensor]]):
    """Some of the (PIL image, target uint8 [height, width, channels]) pairs of `items`.

    Both go through the transform, one by one: it must not draw anything. `flip`: both are, half of the time.
    """

    def __init__(self, items: Any, indices: Sequence[int], transform: v2.Compose, *, flip: bool = False) -> None:
        self.items, self.indices, self.transform, self.flip = items, indices, transform, flip

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image, target = self.items[self.indices[index]]
        pair = self.transform(image), self.transform(_as_image(target))
        if self.flip and bool(torch.rand(()) < 0.5):
            return pair[0].flip(-1), pair[1].flip(-1)
        return pair


def _as_image(target: NDArray[Any]) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(target)).convert("RGB")
