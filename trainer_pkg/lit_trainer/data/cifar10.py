"""CIFAR-10: 60,000 colour images of 32x32 in ten classes, 170 MB. Krizhevsky, 2009."""

from collections.abc import Sequence

from torchvision import datasets
from torchvision.transforms import v2

from lit_trainer.data.base import HeldOut, to_tensor
from lit_trainer.data.downloaded import DownloadedDataModule

LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

# Of the 50,000 training images, per channel.
MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)


class CIFAR10DataModule(DownloadedDataModule):
    """45,000 images to train on, 5,000 to validate, 10,000 to test."""

    dataset = datasets.CIFAR10
    files = "cifar-10-batches-py/: data_batch_1 to 5, test_batch, batches.meta"
    val_share = (5_000, 50_000)

    def __init__(
        self,
        root: str = "data",
        *,
        batch_size: int = 128,
        num_workers: int | None = None,
        split_seed: int = 0,
        download: bool = False,
        test_on: Sequence[HeldOut] = ("test",),
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers, test_on=test_on)
        self.root, self.split_seed, self.download = root, split_seed, download
        tail = to_tensor(MEAN, STD)
        # CIFAR's own images are 32x32 already; those that the deployed model is given may not be.
        self.eval_transform = v2.Compose([v2.Resize([32, 32]), *tail])
        self.train_transform = v2.Compose([v2.RandomCrop(32, padding=4), v2.RandomHorizontalFlip(), *tail])

    @property
    def labels(self) -> tuple[str, ...]:
        """The ten classes."""
        return LABELS
