"""Task `image-regression`: the numbers as the module gives them, their mean absolute error, and R²."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lit_export import labelled
from lit_export.chosen import Role
from lit_export.tasks.images import ImageModule, image_target
from lit_export.tasks.spec import ExportTask, Scoring
from lit_infer.tasks import Reading
from lit_infer.tasks.image_regression import TASK as RUNTIME


class Regressor(ImageModule):
    """Numbers float32 [batch, values]; a module that answers [batch] has one value."""

    output = "values"
    role = "values"

    def forward(self, images: Tensor) -> Tensor:
        """The numbers, unchanged."""
        scores = self.scores(images)
        return scores[:, None] if scores.ndim == 1 else scores


def errors(rows: NDArray[Any], truths: Sequence[Any], _: Reading) -> dict[str, float]:
    """The mean absolute error over all values; and the mean R² of those that vary, if it is defined."""
    truth = np.asarray(truths, dtype=np.float64)
    residuals = rows.astype(np.float64) - truth
    found = {"MAE": float(np.abs(residuals).mean())}
    spread = ((truth - truth.mean(0)) ** 2).sum(0)
    varies = spread > 0
    if len(truth) > 1 and varies.any():
        found["R2"] = float((1 - (residuals**2).sum(0)[varies] / spread[varies]).mean())
    return found


VALUES = Role("values", also={"value": None})

TASK = ExportTask(
    name=RUNTIME.name,
    roles=(VALUES,),
    target=partial(image_target, wrapper=Regressor),
    score=Scoring(labelled=labelled.values, condensed=lambda rows: rows, values=errors),
    marks=("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "MeanSquaredError", "MeanAbsoluteError", "R2Score"),
)
