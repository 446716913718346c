"""mAP50 of masks as a metric: of those that are found, as the deployed model would give them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from lit_infer.tasks import average_precision
from lit_trainer.data.boxed import NONE
from lit_trainer.data.instanced import InstanceTarget

_BELONGS = 0.5
"""The least probability of a pixel that belongs to what was found."""


class MaskPrecision(Metric):
    """Takes what is found in a batch, `InstanceSegmenter`'s dict, and targets, and gives mask mAP50."""

    full_state_update = False
    rows: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("rows", [], dist_reduce_fx="cat")

    def update(self, outputs: Mapping[str, Tensor], targets: InstanceTarget) -> None:
        """Match a batch's masks with its truths."""
        found = {name: one.detach().cpu().numpy() for name, one in outputs.items()}
        boxes, masks = (one.cpu().numpy() for one in targets)
        for index, count in enumerate(found["count"].tolist()):
            is_there = boxes[index, :, 0] != NONE
            overlaps = _overlaps(found["masks"][index, :count] >= _BELONGS, masks[index, is_there] > 0)
            rows = average_precision.matched(
                overlaps,
                found["labels"][index, :count],
                found["scores"][index, :count],
                boxes[index, is_there, 0].astype(int),
            )
            self.rows.append(torch.from_numpy(rows).to(outputs["scores"].device))

    def compute(self) -> Tensor:
        """mAP50 of all that was seen."""
        parts: Any = self.rows
        rows = torch.cat(parts) if isinstance(parts, list) else parts
        return torch.tensor(average_precision.mean(rows.cpu().numpy())["mAP50"])


def _overlaps(some: Any, others: Any) -> Any:
    """Intersection over union of masks [n, h, w] and [m, h, w]: [n, m]."""
    here, there = (one.reshape(len(one), -1).astype(np.float64) for one in (some, others))
    shared = here @ there.T
    return shared / np.maximum(here.sum(1)[:, None] + there.sum(1)[None] - shared, 1)
