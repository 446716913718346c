"""lit_infer.images.masks: masks as PNGs."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from lit_infer.images import masks


def read(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_a_png_has_the_indices_as_values_and_the_colours_as_palette() -> None:
    mask = np.arange(256, dtype=np.uint8).reshape(8, 32)

    found = read(masks.png(mask))

    assert found.mode == "P"
    assert np.array_equal(np.asarray(found), mask)
    assert np.array_equal(np.asarray(found.convert("RGB")).reshape(-1, 3), masks.colours())


def test_the_colours_are_those_of_pascal_voc_and_all_different() -> None:
    found = masks.colours()

    assert found[:6].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128], [128, 0, 128]]
    assert found[15].tolist() == [192, 128, 128]  # a person
    assert found[255].tolist() == [224, 224, 192]  # of no class
    assert len(np.unique(found, axis=0)) == 256


def test_more_than_255_classes_have_16_bits() -> None:
    mask = np.array([[0, 300], [65535, 1]], masks.dtype_for(400))

    found = read(masks.png(mask))

    assert mask.dtype == np.uint16
    assert np.array_equal(np.asarray(found), mask)
    assert (masks.outside_of(mask), masks.outside_of(mask.astype(np.uint8))) == (65535, 255)
    assert masks.dtype_for(255) is np.uint8


def test_a_mask_as_text_is_its_png() -> None:
    mask = np.eye(3, dtype=np.uint8)

    assert base64.b64decode(masks.png_text(mask)) == masks.png(mask)


@pytest.mark.parametrize(("name", "expected"), [("background", True), ("Background", True), ("cat", False)])
def test_a_background_is_known_by_its_name(name: str, expected: bool) -> None:
    assert masks.is_background(name) is expected


def test_a_large_mask_is_written_without_a_copy_to_the_same_values(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = np.random.default_rng(0).integers(0, 20, (31, 17)).astype(np.uint8)
    usual = masks.png(mask)
    monkeypatch.setattr(masks, "_LARGE", 1)

    with Image.open(io.BytesIO(usual)) as one, Image.open(io.BytesIO(masks.png(mask))) as other:
        assert np.array_equal(np.asarray(one), np.asarray(other))
        assert one.getpalette() == other.getpalette()
