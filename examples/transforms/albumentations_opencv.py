"""albumentations: arrays, resized by OpenCV, with a border."""

import albumentations
import cv2
import numpy as np
from albumentations.pytorch import ToTensorV2
from PIL import Image
from torch import Tensor

transform = albumentations.Compose(
    [
        albumentations.LongestMaxSize(32, interpolation=cv2.INTER_AREA),
        albumentations.PadIfNeeded(32, 32, border_mode=cv2.BORDER_CONSTANT, fill=0),
        albumentations.Normalize(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25)),
        ToTensorV2(),
    ]
)


class _OfImages:
    """`ImageFolder` calls a transform with a PIL image; albumentations wants `image=` and an array."""

    transforms = transform.transforms

    def __call__(self, image: Image.Image) -> Tensor:
        return transform(image=np.asarray(image))["image"]


evaluation = _OfImages()
