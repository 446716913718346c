"""A small Mask R-CNN of torchvision's own parts in a LightningModule, as a user has one."""

from collections import OrderedDict
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import MultiScaleRoIAlign

WIDE = 24


class Backbone(nn.Module):
    """Features of two sizes: an eighth and a sixteenth of the image."""

    out_channels = WIDE

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(*_halved(3, 12), *_halved(12, WIDE), *_halved(WIDE, WIDE))
        self.second = nn.Sequential(*_halved(WIDE, WIDE))

    def forward(self, images: Tensor) -> OrderedDict[str, Tensor]:
        first = self.first(images)
        return OrderedDict([("0", first), ("1", self.second(first))])


def _halved(inside: int, outside: int) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(inside, outside, 3, stride=2, padding=1, bias=False)
    return conv, nn.BatchNorm2d(outside), nn.ReLU(), nn.Conv2d(outside, outside, 3, padding=1), nn.ReLU()


def mask_rcnn(classes: int, size: int = 64) -> MaskRCNN:
    """For `classes` with the background, on images whose shorter side is made `size`."""
    names, shape = ["0", "1"], ((0.6, 1.0, 1.6),) * 2
    return MaskRCNN(
        Backbone(),
        min_size=size,
        max_size=2 * size,
        rpn_anchor_generator=AnchorGenerator(sizes=((18,), (30,)), aspect_ratios=shape),
        rpn_pre_nms_top_n_test=80,
        rpn_post_nms_top_n_test=40,
        rpn_pre_nms_top_n_train=100,
        rpn_post_nms_top_n_train=60,
        rpn_batch_size_per_image=64,
        box_roi_pool=MultiScaleRoIAlign(names, 7, 2),
        box_head=TwoMLPHead(WIDE * 49, 96),
        box_predictor=FastRCNNPredictor(96, classes),
        box_detections_per_img=12,
        box_batch_size_per_image=32,
        mask_roi_pool=MultiScaleRoIAlign(names, 14, 2),
        mask_head=MaskRCNNHeads(WIDE, (WIDE, WIDE), 1),
        mask_predictor=MaskRCNNPredictor(WIDE, WIDE, classes),
    )


def unsure(module: Any) -> Any:
    """With weights that make its answers differ from place to place, as those of a trained one do."""
    for name, weights in module.named_parameters():
        if any(part in name for part in ("cls_score", "bbox_pred", "cls_logits", "mask_")):
            nn.init.normal_(weights, std=0.2)
    return module.eval()


class InstanceLearner(lightning.LightningModule):
    """Trains it by its own losses."""

    def __init__(self, classes: int, size: int = 64) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.detector = mask_rcnn(classes, size)

    def forward(self, images: list[Tensor]) -> Any:
        return self.detector(images)

    def training_step(self, batch: tuple[list[Tensor], list[dict[str, Tensor]]], _: int) -> Tensor:
        return torch.stack(list(self.detector(*batch).values())).sum()

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)
