"""torchvision v2 on tensors: the resize of a uint8 tensor differs from that of a PIL image in some pixels."""

import torch
from torchvision.transforms import v2

evaluation = v2.Compose(
    [
        v2.ToImage(),
        v2.Resize(36, antialias=True),
        v2.CenterCrop(32),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(mean=[0.5, 0.5, 0.5], std=[0.25, 0.25, 0.25]),
    ]
)
