"""lit_export.proof.reference_pictures: PIL images and arrays on the training side."""

import numpy as np
from PIL import Image

from lit_export.proof.reference_pictures import as_pil, size_of


def test_a_picture_is_as_wide_and_high_whatever_holds_it() -> None:
    assert size_of(Image.new("L", (9, 7))) == size_of(np.zeros((7, 9, 4))) == (9, 7)


def test_an_array_of_one_or_three_channels_is_a_pil_image() -> None:
    image = Image.new("L", (9, 7))

    assert as_pil(image) is image
    assert as_pil(np.zeros((7, 9, 1), np.uint8)).mode == "L"
    assert as_pil(np.zeros((7, 9, 3), np.uint8)[:, ::-1]).mode == "RGB"
