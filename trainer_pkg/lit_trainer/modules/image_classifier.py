"""Any image classifier: one of torchvision's architectures by name, or a network of your own."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy

from lit_infer.tasks import image_classification
from lit_trainer.modules.image_network import ImageNetwork
from lit_trainer.modules.supervised import Stage


class ImageClassifier(ImageNetwork):
    """One of several classes for each image. The options are those of `ImageNetwork`."""

    deployment_task = image_classification.TASK.name

    def make_metrics(self, size: int, stage: Stage) -> Mapping[str, Metric]:
        """`acc`."""
        return {"acc": MulticlassAccuracy(size, average="micro", validate_args=False)}

    def built_in_loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        """Cross-entropy of classes int64 [batch]."""
        return functional.cross_entropy(outputs, targets, label_smoothing=label_smoothing)

    def answers(self, outputs: Tensor) -> Tensor:
        """Probabilities."""
        return torch.softmax(outputs, dim=-1)
