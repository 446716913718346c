"""MNIST: 70,000 grayscale images of handwritten digits, 28x28, white on black, 11 MB. LeCun et al., 1998."""

from collections.abc import Sequence

from torchvision import datasets
from torchvision.transforms import v2

from lit_trainer.data.base import HeldOut, to_tensor
from lit_trainer.data.downloaded import DownloadedDataModule

LABELS = tuple("0123456789")


class MNISTDataModule(DownloadedDataModule):
    """55,000 images to train on, 5,000 to validate, 10,000 to test.

    `mean` and `std` default to the training images' own. What generates images ending in tanh wants 0.5 and 0.5,
    for values from -1 to 1, and `augment=False`: it would learn to draw slanted digits.
    """

    dataset = datasets.MNIST
    files = "MNIST/raw/: train-images-idx3-ubyte, train-labels-idx1-ubyte and the same of t10k"
    val_share = (5_000, 60_000)

    def __init__(  # noqa: PLR0913 - each is an option of the configuration
        self,
        root: str = "data",
        *,
        batch_size: int = 128,
        num_workers: int | None = None,
        split_seed: int = 0,
        download: bool = False,
        mean: float = 0.1307,
        std: float = 0.3081,
        augment: bool = True,
        test_on: Sequence[HeldOut] = ("test",),
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers, test_on=test_on)
        self.root, self.split_seed, self.download = root, split_seed, download
        tail = to_tensor([mean], [std])
        shaken = [v2.RandomAffine(degrees=10, translate=(0.07, 0.07))] if augment else []
        self.eval_transform = v2.Compose([v2.Resize([28, 28]), *tail])
        self.train_transform = v2.Compose([v2.Resize([28, 28]), *shaken, *tail])

    @property
    def labels(self) -> tuple[str, ...]:
        """The ten digits."""
        return LABELS
