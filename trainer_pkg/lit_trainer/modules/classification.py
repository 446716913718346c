"""What all classifiers share: cross-entropy, accuracy, probabilities."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy

from lit_infer.tasks import image_classification
from lit_trainer.modules.supervised import Stage, SupervisedModule


class ClassifierModule(SupervisedModule):
    """A subclass brings `forward` (images in, logits or log-probabilities [batch, classes] out) and its optimizer."""

    deployment_task = image_classification.TASK.name

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)

    def make_metrics(self, size: int, stage: Stage) -> Mapping[str, Metric]:
        """`acc`."""
        # Without validation: it would read every batch back from the device to look for a class out of range.
        return {"acc": MulticlassAccuracy(size, average="micro", validate_args=False)}

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of classes int64 [batch]."""
        return functional.cross_entropy(outputs, targets)

    def answers(self, outputs: Tensor) -> Tensor:
        """Probabilities: of log-probabilities their exponential."""
        return torch.softmax(outputs, dim=-1)
