"""A U-Net for small images, trained from nothing in a minute."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class SmallUNet(nn.Module):
    """Three sizes down and up again, each joined with what came down; about 120 thousand parameters.

    Images float32 [batch, channels, height, width] in, scores [batch, classes, height, width] out; sides are multiples
    of 4.
    """

    def __init__(self, channels: int, classes: int, *, width: int = 16) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width]
        self.down = nn.ModuleList(map(_block, [channels, *widths], widths))
        self.up = nn.ModuleList(_block(3 * own, own) for own in widths[1::-1])
        self.head = nn.Conv2d(width, classes, kernel_size=1)

    def forward(self, images: Tensor) -> Tensor:
        """Scores at the size of the images."""
        kept = [self.down[0](images)]
        for block in self.down[1:]:
            kept.append(block(functional.max_pool2d(kept[-1], 2)))
        features = kept.pop()
        for block in self.up:
            larger = functional.interpolate(features, scale_factor=2.0, mode="nearest")
            features = block(torch.cat((larger, kept.pop()), dim=1))
        scores: Tensor = self.head(features)
        return scores


def _block(channels_in: int, channels_out: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (channels_in, channels_out):
        layers += [
            nn.Conv2d(channels, channels_out, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers)
