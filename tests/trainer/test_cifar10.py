"""lit_trainer.data.cifar10, and what it shares with MNIST in lit_trainer.data.downloaded."""

from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torchvision import datasets

from lit_infer.errors import NotFoundError
from lit_trainer.data import CIFAR10DataModule
from lit_trainer.data.cifar10 import LABELS
from tests.trainer.on_disk import write_cifar10


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    write_cifar10(tmp_path / "data", monkeypatch)
    return str(tmp_path / "data")


def test_the_full_set_is_split_45000_to_5000() -> None:
    train, val = CIFAR10DataModule().split(50_000)
    assert (len(train), len(val)) == (45_000, 5_000)
    assert sorted([*train, *val]) == list(range(50_000))
    assert (train, val) == CIFAR10DataModule().split(50_000) != CIFAR10DataModule(split_seed=1).split(50_000)


def test_the_files_are_read_as_they_are(root: str) -> None:
    data = CIFAR10DataModule(root, num_workers=0)
    data.prepare_data()
    data.setup("fit")
    data.setup("test")
    sets: Any = (data.train_set, data.val_set, data.test_set)
    assert [len(each) for each in sets] == [90, 10, 30]
    raw = datasets.CIFAR10(root, train=False)
    assert tuple(raw.classes) == LABELS == data.deployment_facts.labels
    image, label = sets[2][7]
    assert label == raw[7][1] == 7
    assert torch.equal(image, data.eval_transform(raw[7][0]))
    assert np.asarray(raw[7][0]).shape == (32, 32, 3)


def test_each_stage_reads_only_what_it_needs(root: str) -> None:
    made = {"fit": ("train_set", "val_set"), "test": ("test_set", "predict_set"), "predict": ("predict_set",)}
    for stage, names in made.items():
        data = CIFAR10DataModule(root, num_workers=0)
        data.setup(stage)
        assert all(hasattr(data, name) for name in names)
        assert hasattr(data, "train_set") == (stage == "fit")
        assert hasattr(data, "test_set") != (stage == "fit")


def test_training_and_validation_share_one_copy_of_the_images(root: str) -> None:
    data: Any = CIFAR10DataModule(root, num_workers=0)
    data.setup("fit")
    assert data.train_set.items is data.val_set.items


def test_workers_give_the_same_batches(root: str) -> None:
    batches = []
    for workers in (0, 2):
        data = CIFAR10DataModule(root, batch_size=4, num_workers=workers)
        data.setup("validate")
        batches.append([images for images, _ in data.val_dataloader()])
    assert all(torch.equal(here, there) for here, there in zip(*batches, strict=True))


def test_missing_files_are_an_error_that_names_folder_files_and_switch(tmp_path: Path) -> None:
    data = CIFAR10DataModule(str(tmp_path / "nowhere"))
    data.prepare_data()  # nothing to do: download is off
    with pytest.raises(NotFoundError, match=r"--data\.download true") as caught:
        data.setup("fit")
    assert str(tmp_path / "nowhere") in str(caught.value)
    assert "cifar-10-batches-py" in str(caught.value)


def test_a_changed_file_is_not_read(root: str) -> None:
    (Path(root) / "cifar-10-batches-py/data_batch_3").write_bytes(b"cut short")
    with pytest.raises(NotFoundError, match="complete and unchanged"):
        CIFAR10DataModule(root).setup("fit")


def test_no_network_is_one_error_that_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*args: object, **kwargs: object) -> None:
        raise URLError("Temporary failure in name resolution")

    monkeypatch.setattr("torchvision.datasets.cifar.download_and_extract_archive", offline)
    with pytest.raises(NotFoundError, match=r"cannot download CIFAR10 to .*name resolution") as caught:
        CIFAR10DataModule(str(tmp_path / "data"), download=True).prepare_data()
    assert str(tmp_path / "data") in str(caught.value)


def test_nothing_is_downloaded_that_is_there(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("torchvision.datasets.cifar.download_and_extract_archive")
    CIFAR10DataModule(root, download=True).prepare_data()
