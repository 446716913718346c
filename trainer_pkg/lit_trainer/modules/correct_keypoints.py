"""PCK as a metric: of the points as the deployed model would give them."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from lit_infer.tasks import correct_points, keypoint_detection
from lit_trainer.data.pointed import UNKNOWN


class CorrectKeypoints(Metric):
    """Takes points [batch, k, 2] in pixels or heatmaps [batch, k, height, width], and targets [batch, k, 3], and gives
    PCK@0.1.
    """

    full_state_update = False
    off: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("off", [], dist_reduce_fx="cat")
        self._reading = keypoint_detection.TASK.reading(labels=None, answers={}, size=None)

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Measure a batch's points."""
        rows = outputs.detach().float().cpu().numpy()
        found = keypoint_detection.located(rows, self._reading)[..., :2]
        known = targets.cpu()
        lengths = known[..., 2].numpy()
        truth = torch.where(known[..., 2:] == UNKNOWN, torch.nan, known[..., :2]).numpy()
        off = correct_points.distances(found, truth, lengths.max(-1, keepdims=True).clip(1))
        self.off.append(torch.from_numpy(off).flatten().to(outputs.device, torch.float32))

    def compute(self) -> Tensor:
        """PCK@0.1 of all that was seen."""
        parts: Any = self.off
        off = torch.cat(parts) if isinstance(parts, list) else parts
        return torch.tensor(correct_points.scores(off.cpu().numpy())[correct_points.METRIC])
