"""lit_trainer.data.base: the loaders that all data modules share, and what they promise together."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import RandomSampler

import lit_trainer.data
from lit_infer import images
from lit_trainer.data import (
    CIFAR10DataModule,
    DigitsDataModule,
    ImageDataModule,
    ImageFolderDataModule,
    MNISTDataModule,
    ResumableLoader,
)
from lit_trainer.data.base import hold_out
from tests.trainer.on_disk import photo, write_cifar10, write_mnist, write_photos


@pytest.fixture(params=["digits", "cifar10", "mnist", "folder"])
def data(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageDataModule:
    """Each image data module over a small set."""
    root = tmp_path / "data"
    if request.param == "cifar10":
        write_cifar10(root, monkeypatch)
        return CIFAR10DataModule(str(root), batch_size=8, num_workers=0)
    if request.param == "mnist":
        write_mnist(root)
        return MNISTDataModule(str(root), batch_size=8, num_workers=0)
    if request.param == "folder":
        for split in ("train", "val", "test"):
            write_photos(root / split, cat=5, horse=4)
        size = {"image_size": 24, "resize": 29}
        return ImageFolderDataModule(str(root), **size, batch_size=4, num_workers=0, predict_root=str(root / "test"))
    return DigitsDataModule(batch_size=8)


def test_all_names_are_sorted_and_there() -> None:
    names = lit_trainer.data.__all__
    assert names == sorted(names)
    assert all(hasattr(lit_trainer.data, name) for name in names)


def test_every_loader_gives_normalised_images_and_indices(data: ImageDataModule) -> None:
    for stage in ("fit", "validate", "test", "predict"):
        data.setup(stage)
    for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader(), data.predict_dataloader()):
        batch, classes = next(iter(loader))
        assert batch.dtype == torch.float32
        assert classes.dtype == torch.int64
        channels = data.deployment_facts.channels
        assert batch.shape == (len(classes), channels, *data.deployment_facts.height_width)


def test_training_is_shuffled_and_can_be_resumed_and_the_rest_is_in_order(data: ImageDataModule) -> None:
    for stage in ("fit", "test"):
        data.setup(stage)
    assert isinstance(data.train_dataloader().sampler, RandomSampler)
    assert isinstance(data.train_dataloader(), ResumableLoader)
    test: Any = data.test_dataloader()
    for loader in (data.val_dataloader(), test):
        assert not isinstance(loader.sampler, RandomSampler)


def test_only_training_is_augmented(data: ImageDataModule) -> None:
    data.setup("fit")
    torch.manual_seed(0)
    train: Any = data.train_set
    val: Any = data.val_set
    assert any(not torch.equal(train[0][0], train[0][0]) for _ in range(5))
    assert all(torch.equal(val[0][0], val[0][0]) for _ in range(5))


def test_testing_on_two_sets_is_a_list_of_loaders(data: ImageDataModule) -> None:
    data.test_on = ("val", "test")
    data.setup("test")
    loaders: Any = data.test_dataloader()
    assert [loader.dataset for loader in loaders] == [data.val_set, data.test_set]
    data.test_on = ("val",)
    only: Any = data.test_dataloader()
    assert only.dataset is data.val_set


def test_the_deployment_facts_are_what_the_transform_does_to_the_last_bit(data: ImageDataModule) -> None:
    facts = data.deployment_facts
    assert facts.normalize is not None
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (facts.normalize.mean, facts.normalize.std))
    for seed in range(12):
        image = photo(seed)
        pixels = images.prepare(image, steps=facts.preprocess, channels=facts.channels)
        # Times 1/255, as torchvision and the exported graph have it: divided by 255 some last bits are others.
        scaled = torch.tensor(pixels).permute(2, 0, 1).to(torch.float32) * (1 / 255)
        seen = data.eval_transform(image.convert("L" if facts.channels == 1 else "RGB"))  # as the loaders do
        assert torch.equal((scaled - mean) / std, seen)


@pytest.mark.parametrize("cuda", [False, True])
def test_pinning_and_persistence_follow_the_machine(monkeypatch: pytest.MonkeyPatch, cuda: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    for workers in (0, 2):
        data = DigitsDataModule(num_workers=workers)
        data.setup("fit")
        train, val = data.train_dataloader(), data.val_dataloader()
        assert (val.pin_memory, val.persistent_workers) == (cuda, workers > 0)
        # A resumed run can start training's workers as they were started, but not put them where they had come to.
        assert (train.pin_memory, train.persistent_workers) == (cuda, False)


def test_workers_are_as_many_as_the_cores_at_most_four(monkeypatch: pytest.MonkeyPatch) -> None:
    for cpus, workers in ((1, 1), (2, 2), (64, 4)):
        monkeypatch.setattr("lit_trainer.data.base.usable_cpus", lambda cpus=cpus: cpus)
        assert MNISTDataModule().num_workers == workers


def test_held_out_indices_are_seeded_disjoint_and_whole() -> None:
    rest, held = hold_out(100, 30, seed=1)
    assert sorted([*rest, *held]) == list(range(100))
    assert len(held) == 30
    assert (rest, held) == hold_out(100, 30, seed=1) != hold_out(100, 30, seed=2)
