"""lit_trainer.data.mnist: real idx files, read by torchvision."""

from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from torchvision import datasets

from lit_infer.errors import NotFoundError
from lit_infer.manifest import Normalize, Resize, Step
from lit_trainer.data import MNISTDataModule
from tests.trainer.on_disk import write_mnist


@pytest.fixture
def root(tmp_path: Path) -> str:
    write_mnist(tmp_path / "data")
    return str(tmp_path / "data")


def test_the_full_set_is_split_55000_to_5000() -> None:
    train, val = MNISTDataModule().split(60_000)
    assert (len(train), len(val)) == (55_000, 5_000)
    assert not set(train) & set(val)


def test_the_files_are_read_as_they_are(root: str) -> None:
    data = MNISTDataModule(root, num_workers=0)
    data.setup("fit")
    data.setup("predict")
    sets: Any = (data.train_set, data.val_set, data.predict_set)
    assert [len(each) for each in sets] == [110, 10, 30]
    raw = datasets.MNIST(root, train=False)
    image, label = sets[2][3]
    assert label == raw[3][1] == 3
    assert torch.allclose(image, (raw.data[3][None] / 255 - 0.1307) / 0.3081)


def test_mean_and_std_are_options_and_reach_the_facts() -> None:
    facts = MNISTDataModule(mean=0.5, std=0.5).deployment_facts
    assert facts.normalize == Normalize(mean=(0.5,), std=(0.5,))
    assert facts.preprocess == (Step(resize=Resize(size=(28, 28))),)
    assert facts.labels == tuple("0123456789")


def test_augmentation_can_be_switched_off(root: str) -> None:
    data: Any = MNISTDataModule(root, mean=0.5, std=0.5, augment=False, num_workers=0)
    data.setup("fit")
    assert torch.equal(data.train_set[0][0], data.train_set[0][0])
    assert data.train_set[0][0].min() == -1
    assert data.train_set[0][0].max() == 1


def test_missing_files_and_no_network_are_errors_that_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotFoundError, match=r"no MNIST in .*nowhere.*MNIST/raw.*--data\.download true"):
        MNISTDataModule(str(tmp_path / "nowhere")).setup("fit")

    def offline(*args: object, **kwargs: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", offline)
    with pytest.raises(NotFoundError, match=r"cannot download MNIST to .*nowhere"):
        MNISTDataModule(str(tmp_path / "nowhere"), download=True).prepare_data()
