"""A picture of the same size for each image: a small U-Net that learns what to take away, or a network of your own."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional
from torchmetrics import Metric
from torchmetrics.image import PeakSignalNoiseRatio

from lit_infer.errors import UsageError
from lit_infer.tasks import image_to_image
from lit_trainer.modules.image_network import ImageNetwork
from lit_trainer.modules.small_unet import SmallUNet
from lit_trainer.modules.supervised import Stage

SMALL = "small_unet"


class Denoiser(ImageNetwork):
    """Images and targets float32 [batch, 3, height, width] from 0 to 1; the other options are those of `ImageNetwork`.

    The network answers what is to be taken away from an image, so that one which has learnt nothing leaves it as it is.
    """

    deployment_task = image_to_image.TASK.name
    derived_hparams = ("num_classes",)

    def __init__(self, architecture: str = SMALL, **options: Any) -> None:
        super().__init__(architecture, 3, **options)

    @staticmethod
    def make_network(architecture: str, num_classes: int, pretrained: bool | str) -> nn.Module:
        """The only one that there is by name."""
        if architecture != SMALL or pretrained:
            raise UsageError(f"{SMALL}, not pretrained, is what there is; a network of your own is a module: network")
        return SmallUNet(3, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Pictures, which may go a little beyond 0 and 1."""
        return images - super().forward(images)

    def make_metrics(self, size: int, stage: Stage) -> Mapping[str, Metric]:
        """`psnr`, in dB."""
        del size, stage
        return {"psnr": PeakSignalNoiseRatio(data_range=1.0)}

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The criterion, or the built-in loss."""
        if self.criterion is None:
            return self.built_in_loss(outputs, targets, 0.0)
        loss: Tensor = self.criterion(outputs, targets)
        return loss

    def built_in_loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        """The mean squared error, whose logarithm PSNR is."""
        del label_smoothing
        return functional.mse_loss(outputs, targets)

    def answers(self, outputs: Tensor) -> Tensor:
        """As they are."""
        return outputs
