"""Boxes around things: a small one-stage detector without anchors, trained from nothing in a minute."""

from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn import functional

from lit_infer.tasks import object_detection
from lit_trainer.data.boxed import NONE
from lit_trainer.modules.mean_average_precision import BoxPrecision
from lit_trainer.modules.optimizers import OptimizerName, SchedulerName, every_step, make_optimizer, make_scheduler
from lit_trainer.modules.supervised import Batch, Stage, SupervisedModule

STRIDE = 8
"""Pixels from one cell of the grid to the next: a thing belongs to the cell that its centre is in."""


class Detector(SupervisedModule):
    """Things of `num_classes` classes, a candidate for each cell of 8 x 8 pixels.

    Targets are float32 [batch, most, 5]: class, left, top, right, bottom in pixels; class -1 is no box. It answers as
    one-stage detectors do, [batch, 4 + classes, n]: centre and size in pixels, and a probability for each class.
    """

    deployment_task = object_detection.TASK.name

    def __init__(  # a parameter is an option of the command
        self,
        num_classes: int = 10,
        *,
        width: int = 16,
        optimizer: OptimizerName = "adamw",
        learning_rate: float = 5e-3,
        weight_decay: float = 1e-2,
        scheduler: SchedulerName = "one_cycle",
    ) -> None:
        super().__init__(num_classes)
        self.save_hyperparameters()
        self.num_classes = num_classes
        widths = [width, 2 * width, 4 * width]
        layers = [_block(one, other) for one, other in zip([3, *widths], widths, strict=False)]
        self.backbone = nn.Sequential(*layers, _same(4 * width), _same(4 * width))
        self.head = nn.Conv2d(4 * width, 4 + num_classes, kernel_size=1)
        nn.init.constant_(self.head.bias[4:], -4.0)  # type: ignore[index] # as in RetinaNet: at first nothing is there

    def forward(self, images: Tensor) -> Tensor:
        """Candidates float32 [batch, 4 + classes, n] for images float32 [batch, 3, height, width]; sides are multiples
        of 8.
        """
        return self.decoded(self.head(self.backbone(images)))

    def decoded(self, found: Tensor) -> Tensor:
        """Candidates of what the head says of each cell, [batch, 4 + classes, rows, columns]."""
        rows, columns = found.shape[2:]
        x = (torch.arange(columns, device=found.device) + 0.5)[None, None, :]
        y = (torch.arange(rows, device=found.device) + 0.5)[None, :, None]
        centre_x = (x + found[:, 0].tanh()) * STRIDE
        centre_y = (y + found[:, 1].tanh()) * STRIDE
        size = found[:, 2:4].clamp(max=5).exp() * 2 * STRIDE
        boxes = torch.stack((centre_x, centre_y, size[:, 0], size[:, 1]), dim=1)
        return torch.cat((boxes, found[:, 4:].sigmoid()), dim=1).flatten(2)

    def make_metrics(self, size: int, stage: Stage) -> Mapping[str, Any]:
        """`map50`, but for training, where it would cost as much as the step."""
        return {} if stage == "train" else {"map50": BoxPrecision()}

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """A focal loss for the classes of all cells, and for those with a thing how far its box is off."""
        batch, things = torch.nonzero(targets[..., 0] != NONE, as_tuple=True)
        wanted = targets[batch, things]
        classes = wanted[:, 0].long()
        centre, size = (wanted[:, 1:3] + wanted[:, 3:5]) / 2, wanted[:, 3:5] - wanted[:, 1:3]
        cells = self.cells(wanted)
        truth = torch.zeros_like(outputs[:, 4:])
        truth[batch, classes, cells] = 1
        count = max(1, len(wanted))
        boxes = outputs[batch, :4, cells]
        off = functional.smooth_l1_loss(boxes[:, :2] / STRIDE, centre / STRIDE, reduction="sum")
        off = off + functional.smooth_l1_loss(boxes[:, 2:].log(), size.clamp(min=1).log(), reduction="sum")
        return (_focal(outputs[:, 4:], truth) + off) / count

    def cells(self, wanted: Tensor) -> Tensor:
        """Which cell each thing [n, 5] of a target belongs to."""
        centre = (wanted[:, 1:3] + wanted[:, 3:5]) / 2
        return (centre[:, 1] // STRIDE).long() * self._columns + (centre[:, 0] // STRIDE).long()

    def _step(self, stage: str, batch: Batch) -> Tensor:
        """Candidates are in one row: the loss needs to know how many cells lie side by side."""
        self._columns = batch[0].shape[3] // STRIDE
        return super()._step(stage, batch)

    def answers(self, outputs: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """As the deployed graph has them: scores [batch, n, classes], and corners [batch, n, 4]."""
        boxes = outputs[:, :4].transpose(1, 2)
        corners = torch.cat((boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2), dim=-1)
        return outputs[:, 4:].transpose(1, 2), corners

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Those of the hparams."""
        hparams = self.hparams
        optimizer = make_optimizer(
            self.parameters(),
            hparams["optimizer"],
            learning_rate=hparams["learning_rate"],
            weight_decay=hparams["weight_decay"],
        )
        return every_step(optimizer, make_scheduler(optimizer, hparams["scheduler"], trainer=self.trainer))


def _focal(shares: Tensor, truth: Tensor) -> Tensor:
    """Binary cross-entropy, of which what is easily right counts little: most cells are empty."""
    losses = functional.binary_cross_entropy(shares, truth, reduction="none")
    easy = torch.where(truth > 0, shares, 1 - shares).detach()
    return (losses * (1 - easy) ** 2).sum()


def _same(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
    )


def _block(channels_in: int, channels_out: int) -> nn.Sequential:
    """Half the size."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )
