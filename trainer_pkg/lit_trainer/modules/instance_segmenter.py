"""Things and the pixels of each: the small one-stage detector with prototypes of masks, as YOLACT has them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from lit_infer.tasks import instance_segmentation
from lit_trainer.data.boxed import NONE
from lit_trainer.data.instanced import InstanceTarget
from lit_trainer.modules.detector import STRIDE, Detector
from lit_trainer.modules.mask_average_precision import MaskPrecision
from lit_trainer.modules.optimizers import OptimizerName, SchedulerName
from lit_trainer.modules.step_metrics import log_step
from lit_trainer.modules.supervised import Batch, Stage

_LEAST = 0.01
"""What scores less is not answered."""


class CellCandidates(NamedTuple):
    """What the network says of each cell, before anything is chosen."""

    boxes: Tensor
    """[batch, 4 + classes, n], as `Detector` answers."""
    weights: Tensor
    """[batch, prototypes, n]: of which prototypes a cell's mask is made."""
    prototypes: Tensor
    """[batch, prototypes, height / 2, width / 2]."""


class InstanceSegmenter(Detector):
    """Things of `num_classes` classes and a mask for each: a weighted sum of some masks of the whole image, in its box.

    Targets are an `InstanceTarget`. It answers a dict of the `most` best cells that score more than their neighbours:
    `scores` [batch, most], `boxes` [batch, most, 4] (corners in pixels), `labels` [batch, most], `count` [batch] and
    `masks` [batch, most, height, width], probabilities; all 0 beyond the count.
    """

    deployment_task = instance_segmentation.TASK.name

    def __init__(  # noqa: PLR0913 - a parameter is an option of the command
        self,
        num_classes: int = 10,
        *,
        width: int = 16,
        prototypes: int = 8,
        most: int = 16,
        optimizer: OptimizerName = "adamw",
        learning_rate: float = 5e-3,
        weight_decay: float = 1e-2,
        scheduler: SchedulerName = "one_cycle",
    ) -> None:
        super().__init__(
            num_classes,
            width=width,
            optimizer=optimizer,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            scheduler=scheduler,
        )
        self.save_hyperparameters()
        self.most = most
        self.weights = nn.Conv2d(4 * width, prototypes, kernel_size=1)
        self.context = nn.Conv2d(4 * width, 2 * width, kernel_size=1)
        self.prototypes = nn.Sequential(
            nn.Conv2d(3 * width, 2 * width, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.Conv2d(2 * width, prototypes, kernel_size=1),
        )

    def forward(self, images: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        """What is found in images float32 [batch, 3, height, width], whose sides are multiples of 8."""
        return self.found(self.candidates(images), (images.shape[2] // STRIDE, images.shape[3] // STRIDE))

    def candidates(self, images: Tensor) -> CellCandidates:
        """All that there is."""
        near = self.backbone[0](images)
        deep = self.backbone[1:](near)
        around = functional.interpolate(self.context(deep), scale_factor=STRIDE / 2, mode="nearest")
        prototypes = self.prototypes(torch.cat((near, around), dim=1))
        return CellCandidates(self.decoded(self.head(deep)), self.weights(deep).flatten(2), prototypes)

    def found(self, given: CellCandidates, grid: tuple[int, int]) -> dict[str, Tensor]:
        """What is answered of candidates on a grid of (rows, columns)."""
        every, corners = super().answers(given.boxes)
        scores, labels = every.max(-1)
        on_grid = scores.reshape(-1, *grid)
        is_peak = functional.max_pool2d(on_grid, kernel_size=3, stride=1, padding=1) == on_grid
        scores = scores * (is_peak.flatten(1) & (scores > _LEAST))
        best, cells = torch.topk(scores, min(self.most, scores.shape[1]), dim=1)
        is_there = best > 0
        boxes = _of(corners, cells) * is_there[..., None]
        masks = (
            _masks(_of(given.weights.transpose(1, 2), cells), given.prototypes).sigmoid() * is_there[..., None, None]
        )
        return {
            "scores": best,
            "boxes": boxes,
            "labels": (labels.gather(1, cells) * is_there).int(),
            "count": is_there.sum(1).int(),
            "masks": masks * _inside(boxes, (masks.shape[2], masks.shape[3])),
        }

    def make_metrics(self, size: int, stage: Stage) -> Mapping[str, Any]:
        """`mask_map50`, but for training, where it would cost as much as the step."""
        return {} if stage == "train" else {"mask_map50": MaskPrecision()}

    def loss(self, outputs: CellCandidates, targets: InstanceTarget) -> Tensor:  # type: ignore[override]
        """That of the boxes, and for each thing how far the pixels of its box are off."""
        batch, things = torch.nonzero(targets.boxes[..., 0] != NONE, as_tuple=True)
        wanted, inside = targets.boxes[batch, things], targets.masks[batch, things].to(outputs.prototypes.dtype)
        weights = outputs.weights[batch, :, self.cells(wanted)]
        found = _masks(weights[:, None], outputs.prototypes[batch])[:, 0]
        losses = functional.binary_cross_entropy_with_logits(found, inside, reduction="none")
        there = _inside(wanted[:, None, 1:], (inside.shape[1], inside.shape[2]))[:, 0]
        off = (losses * there).sum((1, 2)) / there.sum((1, 2)).clamp(min=1)
        return super().loss(outputs.boxes, targets.boxes) + off.sum() / max(1, len(wanted))

    def _step(self, stage: str, batch: Batch) -> Tensor:
        """The loss is of the candidates, the metrics of what `forward` answers, which callbacks listen to."""
        images, targets = batch
        self._columns = images.shape[3] // STRIDE
        loss = self.loss(self.candidates(images), targets)  # type: ignore[arg-type]
        metrics = self._metrics(stage)
        if metrics:
            answers = self(images)
            for metric in metrics.values():
                metric(answers, targets)
        log_step(self, stage, loss, metrics, batch_size=len(images))
        return loss

    def answers(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:  # type: ignore[override]
        """As they are."""
        return outputs


def _of(every: Tensor, cells: Tensor) -> Tensor:
    """Rows [batch, k, size] of [batch, n, size]."""
    return every.gather(1, cells[..., None].expand(-1, -1, every.shape[2]))


def _masks(weights: Tensor, prototypes: Tensor) -> Tensor:
    """Logits [batch, k, height, width], twice as large as the prototypes, for weights [batch, k, prototypes]."""
    batch, count, height, width = prototypes.shape
    small = torch.bmm(weights, prototypes.reshape(batch, count, height * width))
    return functional.interpolate(
        small.reshape(batch, -1, height, width), scale_factor=2.0, mode="bilinear", align_corners=False
    )


def _inside(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Whether the middle of each pixel [batch, k, height, width] lies in a box [batch, k, 4]."""
    rows = (torch.arange(size[0], device=boxes.device) + 0.5)[:, None]
    columns = (torch.arange(size[1], device=boxes.device) + 0.5)[None, :]
    left, top, right, bottom = (boxes[..., side, None, None] for side in range(4))
    return (columns > left) & (columns < right) & (rows > top) & (rows < bottom)
