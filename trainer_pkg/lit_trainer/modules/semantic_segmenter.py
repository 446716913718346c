"""A class for each pixel: a small U-Net, one of torchvision's segmentation architectures, or a network of your own."""

import difflib
from collections.abc import Mapping
from typing import Any

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

from lit_infer.errors import UsageError
from lit_infer.tasks import image_segmentation
from lit_trainer.modules.image_network import ImageNetwork, pretrained_network
from lit_trainer.modules.small_unet import SmallUNet
from lit_trainer.modules.supervised import Stage

SMALL = "small_unet"
OPEN = 255
"""In a target: a pixel that nobody labelled."""


class SemanticSegmenter(ImageNetwork):
    """Scores for `num_classes` classes of each pixel; the other options are those of `ImageNetwork`.

    Targets are int64 [batch, height, width], class indices, or 255 for pixels that do not count. `architecture`:
    `small_unet`, or one of torchvision.models.segmentation, such as `deeplabv3_resnet50`.
    """

    deployment_task = image_segmentation.TASK.name

    def __init__(self, architecture: str = SMALL, num_classes: int = 2, **options: Any) -> None:
        super().__init__(architecture, num_classes, **options)

    @staticmethod
    def make_network(architecture: str, num_classes: int, pretrained: bool | str) -> nn.Module:
        """A network by name. Raises UsageError for an unknown one."""
        if architecture == SMALL:
            if pretrained:
                raise UsageError(f"{SMALL} has no pretrained weights")
            return SmallUNet(3, num_classes)
        names = torchvision.models.list_models(module=torchvision.models.segmentation)
        if architecture not in names:
            nearest = difflib.get_close_matches(architecture.lower(), names, n=3, cutoff=0.0)
            raise UsageError(
                f"torchvision segments with no {architecture}; nearest: {', '.join(nearest)}. {SMALL} is one of ours; "
                "a network of your own is given as a module: network"
            )
        if not pretrained:
            made: nn.Module = torchvision.models.get_model(architecture, num_classes=num_classes, weights_backbone=None)
            return _Out(made)
        network = pretrained_network(architecture, pretrained, {})
        for head in (getattr(network, "classifier", None), getattr(network, "aux_classifier", None)):
            if head is not None:
                _resize_head(head, num_classes)
        return _Out(network)

    def forward(self, images: Tensor) -> Tensor:
        """Scores float32 [batch, classes, height, width], at the size of the images."""
        outputs = self.network(images)
        scores: Tensor = getattr(outputs, "logits", outputs)  # a network of yours may return more than logits
        if scores.shape[2:] != images.shape[2:]:
            scores = functional.interpolate(scores, images.shape[2:], mode="bilinear", align_corners=False)
        return scores

    def make_metrics(self, size: int, stage: Stage) -> Mapping[str, Metric]:
        """`acc` of the pixels; but for training also `miou`, the mean intersection over union."""
        acc = MulticlassAccuracy(size, average="micro", ignore_index=OPEN, validate_args=False)
        if stage == "train":
            return {"acc": acc}
        return {"acc": acc, "miou": MulticlassJaccardIndex(size, ignore_index=OPEN, validate_args=False)}

    def built_in_loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        """Cross-entropy of the pixels that are labelled."""
        return functional.cross_entropy(outputs, targets, ignore_index=OPEN, label_smoothing=label_smoothing)

    def answers(self, outputs: Tensor) -> Tensor:
        """Probabilities of each pixel."""
        return torch.softmax(outputs, dim=1)


class _Out(nn.Module):
    """The main scores of one of torchvision's; its auxiliary ones are for a loss that is not in use here."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Scores at the size of the images."""
        scores: Tensor = self.network(images)["out"]
        return scores


def _resize_head(head: nn.Module, num_classes: int) -> None:
    """The layers that answer classes, which are the last of each branch of a head, for another number of them."""
    classes = [layer for layer in head.modules() if isinstance(layer, nn.Conv2d)][-1].out_channels
    for name, layer in list(head.named_modules()):
        if isinstance(layer, nn.Conv2d) and layer.out_channels == classes and layer.kernel_size == (1, 1):
            parent, _, attribute = name.rpartition(".")
            setattr(head.get_submodule(parent), attribute, nn.Conv2d(layer.in_channels, num_classes, kernel_size=1))
