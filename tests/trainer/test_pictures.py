"""Pictures to be made of others: from digits, from a folder, and what is learnt of them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from lit_infer.errors import UsageError
from lit_trainer.data import NoisyDigitsDataModule, PictureFolderDataModule
from lit_trainer.data.noisy_digits import from_0_to_1, write_noisy_digits
from lit_trainer.data.pictured import PicturedPart
from lit_trainer.data.scenes import scenes
from lit_trainer.modules import Denoiser


def test_noise_changes_nothing_else_in_a_scene() -> None:
    made = scenes(5, 48, 0)[0]
    usual, clean, noisy = made.scene(2), made.scene(2, noise=0), made.scene(2, noise=40)

    assert np.array_equal(usual.mask, noisy.mask)
    assert usual.boxes == clean.boxes == noisy.boxes
    assert np.abs(noisy.image - clean.image.astype(int)).mean() == pytest.approx(30, abs=4)
    assert len(np.unique(clean.image[clean.mask == 0].reshape(-1, 3), axis=0)) < 300


def test_batches_are_noisy_and_clean_pictures_from_0_to_1() -> None:
    data = NoisyDigitsDataModule(batch_size=3, image_size=32, count=10)
    data.setup("fit")

    noisy, clean = next(iter(data.train_dataloader()))

    assert noisy.shape == clean.shape == (3, 3, 32, 32)
    assert 0 <= float(clean.min()) < float(clean.max()) <= 1
    facts = data.deployment_facts
    assert (facts.task, facts.labels, facts.normalize) == ("image-to-image", None, None)


def test_an_image_and_its_target_are_flipped_together() -> None:
    image = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    part = PicturedPart([(image, np.asarray(image))] * 2, [0], from_0_to_1(4, 4), flip=True)
    torch.manual_seed(0)

    pairs = [part[0] for _ in range(12)]

    assert all(torch.equal(one, other) for one, other in pairs)
    assert len({tuple(one.flatten().tolist()) for one, _ in pairs}) == 2


def test_a_folder_of_targets_is_read_with_a_part_held_out(tmp_path: Path) -> None:
    write_noisy_digits(tmp_path, count=10, size=24)
    data = PictureFolderDataModule(str(tmp_path), image_size=(16, 20), batch_size=4, num_workers=0)
    data.setup("fit")

    images, targets = next(iter(data.val_dataloader()))

    assert images.shape == targets.shape == (2, 3, 16, 20)
    assert not torch.equal(images, targets)
    assert len(data.train_set) == 8  # type: ignore[arg-type]


def test_a_denoiser_that_has_learnt_nothing_leaves_images_as_they_are() -> None:
    module = Denoiser()
    nn.init.zeros_(module.network.head.weight)
    nn.init.zeros_(module.network.head.bias)
    images = torch.rand(2, 3, 16, 16)

    assert torch.equal(module.eval()(images), images)
    assert float(module.loss(images, images + 0.1)) == pytest.approx(0.01, rel=1e-4)
    with pytest.raises(UsageError, match="small_unet, not pretrained, is what there is"):
        Denoiser("resnet18")
