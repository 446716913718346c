"""Ultralytics' letterbox, written here as it is there (the package is under the AGPL and not installed)."""

from typing import Any

import cv2
import numpy as np
import pytest
from albumentations import ToFloat
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lit_infer.images.from_transform import read
from tests.support.transforms import assert_read_as_it_is, pictures


class LetterBox:
    """Resize and pad with a border."""

    __module__ = "ultralytics.data.augment"

    def __init__(
        self, new_shape: Any = (64, 64), center: bool = True, scaleup: bool = True, auto: bool = False
    ) -> None:
        self.new_shape, self.center, self.scaleup, self.auto = new_shape, center, scaleup, auto
        self.scale_fill, self.stride, self.padding_value, self.interpolation = False, 32, 114, cv2.INTER_LINEAR

    def __call__(self, image: Any) -> NDArray[np.float32]:
        array = np.asarray(image)
        high, wide = array.shape[:2]
        ratio = min(self.new_shape[0] / high, self.new_shape[1] / wide)
        ratio = ratio if self.scaleup else min(ratio, 1.0)
        inner = round(wide * ratio), round(high * ratio)
        across, down = self.new_shape[1] - inner[0], self.new_shape[0] - inner[1]
        if self.center:
            across, down = across / 2, down / 2
        if (wide, high) != inner:
            array = cv2.resize(array, inner, interpolation=self.interpolation)
        top, bottom = round(down - 0.1) if self.center else 0, round(down + 0.1)
        left, right = round(across - 0.1) if self.center else 0, round(across + 0.1)
        return cv2.copyMakeBorder(array, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(114,) * 3)


class Compose:
    """Of Ultralytics, in front of parts that take `image=`."""

    __module__ = "albumentations.core"

    def __init__(self, transforms: list[Any]) -> None:
        self.transforms = transforms

    def __call__(self, *, image: Any) -> dict[str, Any]:
        box, scale = self.transforms
        return dict(scale(image=box(image)))


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("scaleup", [True, False])
@given(image=pictures(), size=st.tuples(st.integers(20, 90), st.integers(20, 90)))
@settings(deadline=None, max_examples=30)
def test_what_is_read_off_it_gives_its_pixels(center: bool, scaleup: bool, image: Any, size: Any) -> None:
    box = LetterBox(size, center=center, scaleup=scaleup)

    assert_read_as_it_is(Compose([box, ToFloat(255)]), image)


@pytest.mark.parametrize("name", ["auto", "scale_fill"])
def test_what_gives_images_of_several_sizes_is_refused_by_name(name: str) -> None:
    box = LetterBox()
    setattr(box, name, True)

    with pytest.raises(ValueError, match="LetterBox"):
        read(box)
