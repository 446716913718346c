"""mAP50 as a metric: of the boxes as the deployed model would give them."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from lit_infer.images.boxes import overlaps
from lit_infer.tasks import average_precision, object_detection
from lit_infer.tasks.candidates import chosen
from lit_trainer.data.boxed import NONE

_LEAST, _OVERLAP = 0.001, 0.5


class BoxPrecision(Metric):
    """Takes candidates [batch, 4 + classes, n] and targets [batch, most, 5], and gives mAP at an overlap of 0.5."""

    full_state_update = False
    rows: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("rows", [], dist_reduce_fx="cat")
        self._reading = object_detection.TASK.reading(
            labels=None, answers={"threshold": _LEAST, "overlap": _OVERLAP}, size=None
        )

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Match a batch's boxes with its truths."""
        every = outputs.detach().cpu().numpy()
        for candidates, target in zip(every, targets.cpu().numpy(), strict=True):
            centre, size = candidates[:2].T, candidates[2:4].T
            corners = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
            scores, labels, boxes, _ = chosen([candidates[4:].T, corners], self._reading)
            truth = target[target[:, 0] != NONE]
            found = overlaps(boxes, truth[:, 1:])
            rows = average_precision.matched(found, labels, scores, truth[:, 0].astype(int))
            self.rows.append(torch.from_numpy(rows).to(outputs.device))

    def compute(self) -> Tensor:
        """mAP50 of all that was seen."""
        parts: Any = self.rows
        rows = torch.cat(parts) if isinstance(parts, list) else parts
        return torch.tensor(average_precision.mean(rows.cpu().numpy())["mAP50"])
