"""Any number of labels for each image: one of torchvision's architectures by name, or a network of your own."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics import Metric
from torchmetrics.classification import MultilabelAveragePrecision, MultilabelF1Score

from lit_infer.tasks import image_multilabel
from lit_trainer.modules.image_network import ImageNetwork
from lit_trainer.modules.supervised import Stage


class _OfLogits:
    """torchmetrics takes values beyond 0 and 1 for logits, batch by batch; a batch within them would be misread."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Always on probabilities."""
        found: Tensor = super().forward(outputs.sigmoid(), targets.int())  # type: ignore[misc]
        return found


class _F1(_OfLogits, MultilabelF1Score):
    pass


class _AveragePrecision(_OfLogits, MultilabelAveragePrecision):
    pass


class ImageMultilabelClassifier(ImageNetwork):
    """A probability for each label. `num_classes`: how many labels there are; the options are those of `ImageNetwork`.

    Targets are float32 [batch, labels], 0 or 1.
    """

    deployment_task = image_multilabel.TASK.name

    def make_metrics(self, size: int, stage: Stage) -> Mapping[str, Metric]:
        """`f1`, macro and at the threshold 0.5; but for training also `map`, the mean average precision."""
        metrics: dict[str, Metric] = {"f1": _F1(size, average="macro", validate_args=False)}
        if stage != "train":  # of each step it would take as long as a tenth of the step
            metrics["map"] = _AveragePrecision(size, average="macro", thresholds=200, validate_args=False)
        return metrics

    def built_in_loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        """Binary cross-entropy of each label."""
        smoothed = targets * (1 - label_smoothing) + label_smoothing / 2
        return functional.binary_cross_entropy_with_logits(outputs, smoothed)

    def answers(self, outputs: Tensor) -> Tensor:
        """Probabilities, independent of each other."""
        return torch.sigmoid(outputs)
