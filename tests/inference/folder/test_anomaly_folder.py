"""lit_infer.folder.anomaly_folder: MVTec's layout, with and without masks."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder import anomaly_folder


def save(path: Path, pixels: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels)).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("test/good/000.png", "test/crack/000.png", "test/hole/sub/001.png"):
        save(tmp_path / name, np.zeros((4, 6), np.uint8))
    mask = np.zeros((4, 6), np.uint8)
    mask[1:3, 2:5] = 255
    save(tmp_path / "ground_truth/crack/000_mask.png", mask)
    save(tmp_path / "ground_truth/hole/sub/001.png", np.stack([mask // 255, mask * 0, mask * 0, mask * 0 + 255], -1))
    return tmp_path


@pytest.mark.parametrize("below", ["", "test"])
def test_anomalous_pixels_are_those_of_the_masks_and_good_images_have_none(root: Path, below: str) -> None:
    found = {path.relative_to(root / "test").as_posix(): truth for path, truth in anomaly_folder.of(root / below)}

    assert {name: truth.is_anomalous for name, truth in found.items()} == {
        "crack/000.png": True,
        "good/000.png": False,
        "hole/sub/001.png": True,
    }
    assert all(truth.has_pixels for truth in found.values())
    expected = np.zeros((4, 6), bool)
    expected[1:3, 2:5] = True
    assert np.array_equal(found["crack/000.png"].pixels((4, 6)), expected)
    assert np.array_equal(found["hole/sub/001.png"].pixels((4, 6)), expected)  # alpha is no mark
    assert not found["good/000.png"].pixels((4, 6)).any()


def test_without_masks_only_the_folders_are_known(root: Path) -> None:
    (root / "ground_truth").rename(root / "elsewhere")

    assert not any(truth.has_pixels for _, truth in anomaly_folder.of(root))
    with pytest.raises(NotFoundError, match="expected good/ with images, and a folder beside it"):
        anomaly_folder.of(root / "elsewhere")


def test_a_mask_that_is_missing_damaged_or_of_another_size_is_named(root: Path) -> None:
    truths = {path.parent.name: truth for path, truth in anomaly_folder.of(root)}
    with pytest.raises(UsageError, match=r"000_mask\.png has 6 x 4 pixels, and its image 8 x 4"):
        truths["crack"].pixels((4, 8))
    (root / "ground_truth/crack/000_mask.png").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"000_mask\.png cannot be used"):
        truths["crack"].pixels((4, 6))
    (root / "ground_truth/crack/000_mask.png").unlink()
    with pytest.raises(UsageError, match=r"crack/000\.png has no mask: expected .*crack/000_mask\.png"):
        anomaly_folder.of(root)
