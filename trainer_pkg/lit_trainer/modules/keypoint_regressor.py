"""Named points in images: heatmaps of a small U-Net, places by one of torchvision's architectures, or your network."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics import Metric

from lit_infer.errors import UsageError
from lit_infer.tasks import keypoint_detection
from lit_trainer.data.pointed import UNKNOWN
from lit_trainer.modules.correct_keypoints import CorrectKeypoints
from lit_trainer.modules.image_network import ImageNetwork, make_network
from lit_trainer.modules.small_unet import SmallUNet
from lit_trainer.modules.supervised import Stage

SMALL = "small_unet"
_NOWHERE = -4.0
"""The logit of all cells at first."""
_SIGMA = 1.5
"""Cells of a heatmap: how wide the hill around a point is."""


class KeypointRegressor(ImageNetwork):
    """`num_points` points for each image; the other options are those of `ImageNetwork`.

    `architecture`: `small_unet`, which answers heatmaps of the images' size, [batch, k, height, width], 0 to 1; or a
    classification architecture of torchvision, which answers places, [batch, k, 2] in pixels. Targets are float32
    [batch, k, 3]: x and y in pixels, and the length that PCK measures by, 0 for a point that does not count.
    """

    deployment_task = keypoint_detection.TASK.name
    derived_hparams = ("num_classes",)

    def __init__(self, architecture: str = SMALL, num_points: int = 1, **options: Any) -> None:
        super().__init__(architecture, num_classes=num_points, **options)
        self.num_points = num_points

    @staticmethod
    def make_network(architecture: str, num_classes: int, pretrained: bool | str) -> nn.Module:
        """A network by name. Raises UsageError for an unknown one."""
        if architecture != SMALL:
            return make_network(architecture, 2 * num_classes, pretrained)
        if pretrained:
            raise UsageError(f"{SMALL} has no pretrained weights")
        network = SmallUNet(3, num_classes)
        nn.init.constant_(network.head.bias, _NOWHERE)  # type: ignore[arg-type] # as in RetinaNet
        return network

    def forward(self, images: Tensor) -> Tensor:
        """Heatmaps, or places in pixels."""
        outputs = super().forward(images)
        if outputs.ndim == 4:
            return outputs.sigmoid()
        sides = torch.tensor([images.shape[3], images.shape[2]], dtype=outputs.dtype, device=outputs.device)
        return outputs.reshape(-1, self.num_points, 2).sigmoid() * sides

    def make_metrics(self, size: int, stage: Stage) -> Mapping[str, Metric]:
        """`pck`, PCK@0.1, but for training, where it would cost as much as the step."""
        return {} if stage == "train" else {"pck": CorrectKeypoints()}

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The criterion, or the built-in loss."""
        if targets.shape[1] != outputs.shape[1]:
            raise UsageError(
                f"the module answers {outputs.shape[1]} points, and the data has {targets.shape[1]}: make them the "
                "same, by --model.num_points"
            )
        if self.criterion is not None:
            loss: Tensor = self.criterion(outputs, targets)
            return loss
        return self.built_in_loss(outputs, targets, 0.0)

    def built_in_loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        """A focal loss of the hills around the points, as CenterNet has it; of places, how far they are off."""
        del label_smoothing
        known = targets[..., 2] != UNKNOWN
        if outputs.ndim == 4:
            return _hills_loss(outputs[known], targets[known][:, :2])
        lengths = targets[known][:, 2:]
        return functional.smooth_l1_loss(outputs[known] / lengths, targets[known][:, :2] / lengths, beta=0.1)

    def answers(self, outputs: Tensor) -> Tensor:
        """The outputs themselves."""
        return outputs


def _hills_loss(maps: Tensor, places: Tensor) -> Tensor:
    """Of maps [n, height, width], and where their points are [n, 2]."""
    height, width = maps.shape[1:]
    x = torch.arange(width, device=maps.device) + 0.5
    y = torch.arange(height, device=maps.device) + 0.5
    off = (x - places[:, :1]).square()[:, None, :] + (y - places[:, 1:]).square()[:, :, None]
    hills = torch.exp(-off / (2 * _SIGMA**2))
    tops = off == off.amin((1, 2), keepdim=True)  # the middle of a cell is up to 0.7 cells away from the point
    maps = maps.clamp(1e-6, 1 - 1e-6)
    there = (maps.log() * (1 - maps) ** 2)[tops].sum()
    elsewhere = ((1 - maps).log() * maps**2 * (1 - hills) ** 4)[~tops].sum()
    return -(there + elsewhere) / max(1, len(maps))
