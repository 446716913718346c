"""lit_infer.folder.mask_folder: images beside a mask of each."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder.mask_folder import MaskFolder, sizes_match
from lit_infer.images import masks


def save(path: Path, values: Any, mode: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(values, np.uint8))
    (image if mode is None else image.convert(mode)).save(path)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two images in folders of their own, and their masks."""
    for name in ("a/1.jpg", "b/1.png"):
        save(tmp_path / "images" / name, np.zeros((2, 3, 3)))
    (tmp_path / "masks" / "a").mkdir(parents=True)
    (tmp_path / "masks" / "a" / "1.png").write_bytes(masks.png(np.array([[0, 1, 2], [0, 0, 255]], np.uint8)))
    save(tmp_path / "masks" / "b" / "1.png", [[0, 0, 1], [2, 2, 2]])
    return tmp_path


def test_each_image_has_the_mask_of_its_name(root: Path) -> None:
    found = MaskFolder.of(root, classes=3)

    assert [path.relative_to(root / "images").as_posix() for path, _ in found.pairs] == ["a/1.jpg", "b/1.png"]
    assert found.mask(0).tolist() == [[0, 1, 2], [0, 0, 255]]
    assert found.mask(1).tolist() == [[0, 0, 1], [2, 2, 2]]


def test_an_image_without_its_mask_is_named(root: Path) -> None:
    (root / "masks" / "b" / "1.png").unlink()
    with pytest.raises(UsageError, match=r"images/b/1\.png has no masks: expected .*masks/b/1\.png, and it alone"):
        MaskFolder.of(root, classes=3)

    save(root / "masks" / "b" / "1.png", [[0]])
    save(root / "masks" / "b" / "1.bmp", [[0]])
    with pytest.raises(UsageError, match="has 2 masks"):
        MaskFolder.of(root, classes=3)


def test_folders_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"images/ with images and .*masks/ with a mask of each"):
        MaskFolder.of(tmp_path, classes=None)
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(NotFoundError, match="no images below"):
        MaskFolder.of(tmp_path, classes=None)


def test_a_class_that_the_model_lacks_and_a_picture_in_colours_are_refused(root: Path) -> None:
    with pytest.raises(UsageError, match=r"1\.png has the class 2, and there are 2, from 0"):
        MaskFolder.of(root, classes=2).mask(0)

    save(root / "masks" / "a" / "1.png", np.zeros((2, 3, 3)))
    with pytest.raises(UsageError, match="is a picture in colours, not a mask of class indices"):
        MaskFolder.of(root, classes=3).mask(0)

    (root / "masks" / "a" / "1.png").write_bytes(b"\x89PNG")
    with pytest.raises(UsageError, match=r"masks/a/1\.png cannot be used"):
        MaskFolder.of(root, classes=3).mask(0)


@pytest.mark.parametrize(
    ("second", "expected"),
    [([[0, 0, 255], [0, 0, 0]], [[0, 0, 1], [0, 0, 1]]), ([[0, 1, 1], [0, 0, 0]], [[0, 0, 255], [0, 0, 255]])],
    ids=["black and white throughout", "a 1 somewhere"],
)
def test_black_and_white_masks_of_two_classes_are_told_from_those_with_open_pixels(
    root: Path, second: Any, expected: Any
) -> None:
    save(root / "masks" / "a" / "1.png", [[0, 0, 255], [0, 0, 255]])
    save(root / "masks" / "b" / "1.png", second)

    assert MaskFolder.of(root, classes=2).mask(0).tolist() == expected


def test_masks_of_one_bit_are_of_two_classes(root: Path) -> None:
    save(root / "masks" / "a" / "1.png", [[0, 255, 0], [0, 0, 255]], mode="1")
    save(root / "masks" / "b" / "1.png", [[0, 0, 0], [0, 0, 0]])

    assert MaskFolder.of(root, classes=2).mask(0).tolist() == [[0, 1, 0], [0, 0, 1]]


def test_a_mask_of_another_size_than_its_image_is_refused() -> None:
    sizes_match(np.zeros((2, 3)), (3, 2), "a.png")
    with pytest.raises(UsageError, match=r"the mask of a\.png is 3 x 2, and the image 2 x 3"):
        sizes_match(np.zeros((2, 3)), (2, 3), "a.png")
