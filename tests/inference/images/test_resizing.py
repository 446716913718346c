"""The steps that resize: their sizes by each library's rounding, and what they refuse. Their pixels: test_reference."""

from typing import Any

import albumentations
import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional

from lit_infer.images.preprocess import Step
from lit_infer.images.resizing import INTERPOLATIONS, Letterbox, Resize
from tests.support.pixel_steps import letterboxes, resizes, step

SIDES = st.integers(1, 400)
quickly = settings(deadline=None, max_examples=60)


@given(width=SIDES, height=SIDES, size=st.integers(1, 300), more=st.integers(0, 200) | st.none())
@quickly
def test_a_shorter_side_is_as_torchvision_has_it(width: int, height: int, size: int, more: int | None) -> None:
    most = None if more is None else size + 1 + more
    if max(width, height) > min(most or 400, 400) * min(width, height) / 2:
        return  # torchvision cannot make an image of no pixels
    wanted = functional.resize(torch.empty(1, height, width), [size], max_size=most).shape[1:]

    assert Resize(size=size, max_size=most).output_size(width, height) == (wanted[1], wanted[0])


@pytest.mark.parametrize(
    ("side", "kind"), [("longest", albumentations.LongestMaxSize), ("shorter", albumentations.SmallestMaxSize)]
)
@given(width=st.integers(1, 300), height=st.integers(1, 300), size=st.integers(1, 120))
@quickly
def test_one_side_is_as_albumentations_has_it(side: Any, kind: Any, width: int, height: int, size: int) -> None:
    if max(width, height) > 20 * min(width, height):
        return
    wanted = kind(size)(image=np.zeros((height, width), np.uint8))["image"].shape

    assert Resize(size=size, side=side, rounding="nearest").output_size(width, height) == (wanted[1], wanted[0])


@given(one=resizes(), width=SIDES, height=SIDES)
def test_a_resize_s_placement_and_size_are_one(one: Step, width: int, height: int) -> None:
    wide, high = one.value.output_size(width, height)
    placed = one.value.placement(width, height)

    assert (placed.scale_x * width, placed.scale_y * height) == pytest.approx((wide, high))
    assert min(wide, high) >= 1
    assert one.value.fixed_size in (None, (high, wide))


@given(one=letterboxes(), width=SIDES, height=SIDES)
def test_a_letterbox_has_its_size_and_the_image_inside_it_with_its_ratio(one: Step, width: int, height: int) -> None:
    box = one.value
    assert isinstance(box, Letterbox)
    wide, high = box.inner_size(width, height)
    placed = box.placement(width, height)

    assert box.output_size(width, height) == box.height_width[::-1] == (box.fixed_size or (0, 0))[::-1]
    assert 1 <= wide <= box.height_width[1]
    assert 1 <= high <= box.height_width[0]
    assert placed.shift_x + wide <= box.height_width[1]
    assert placed.shift_y + high <= box.height_width[0]
    if not box.enlarge:
        assert wide <= width or wide == 1
        assert high <= height or high == 1
    assert abs(wide - width * min(placed.scale_x, placed.scale_y)) <= wide * 1.01 + 1


@pytest.mark.parametrize(
    ("before", "after", "used"),
    [((9, 9), (4, 4), "area"), ((4, 4), (9, 9), "bicubic"), ((9, 4), (4, 9), "area"), ((4, 4), (4, 4), "bicubic")],
)
def test_another_interpolation_is_for_images_that_get_smaller(
    before: tuple[int, int], after: tuple[int, int], used: str
) -> None:
    resize = Resize(size=8, interpolation="bicubic", shrinking="area", library="opencv", antialias=False)

    assert resize.used(before, after) == used


@pytest.mark.parametrize("library", sorted(INTERPOLATIONS))
@pytest.mark.parametrize("name", ["resize", "letterbox"])
def test_what_a_library_cannot_do_is_refused_with_what_it_can(name: str, library: Any) -> None:
    every = {one for known in INTERPOLATIONS.values() for one in known}
    for interpolation in sorted(every - set(INTERPOLATIONS[library])):
        with pytest.raises(msgspec.ValidationError, match=f"{name}: .* has no interpolation {interpolation}; it has"):
            step(**{name: {"size": 8, "library": library, "interpolation": interpolation}})


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ({"resize": {}}, "either size or scale"),
        ({"resize": {"size": 8, "scale": 0.5}}, "either size or scale"),
        ({"resize": {"size": 0}}, "must be positive"),
        ({"resize": {"size": [8, 0]}}, "must be positive"),
        ({"resize": {"scale": 0}}, "above 0"),
        ({"resize": {"scale": 65}}, "64 at most"),
        ({"resize": {"size": 8, "max_size": 7}}, "needs a size of one shorter side"),
        ({"resize": {"size": [8, 8], "max_size": 9}}, "needs a size of one shorter side"),
        ({"resize": {"size": 8, "antialias": False}}, "antialias must be true"),
        ({"resize": {"size": 8, "shrinking": "area"}}, "has no interpolation area"),
        ({"letterbox": {"size": 0}}, "must be positive"),
        ({"letterbox": {}}, "size"),
    ],
)
def test_what_means_nothing_is_refused(given_: dict[str, Any], says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        msgspec.convert(given_, Step)


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (step(resize={"size": 256}), "resize its shorter side to 256, bilinear, antialiased, by Pillow"),
        (
            step(resize={"size": [2, 3], "library": "opencv", "interpolation": "bicubic", "shrinking": "area"}),
            "resize to 2 x 3 (height x width), bicubic, by OpenCV; area where it gets smaller",
        ),
        (
            step(resize={"size": 8, "max_size": 9, "library": "torch", "antialias": False}),
            "resize its shorter side to 8, the other to 9 at most, bilinear, not antialiased, by torch's tensors",
        ),
        (step(resize={"scale": 0.5, "interpolation": "nearest"}), "resize by 0.5, nearest, by Pillow"),
        (
            step(letterbox={"size": 640, "library": "opencv"}),
            "fit into 640 x 640 (height x width) with its ratio kept, bilinear, by OpenCV, padded with 114, "
            "the image center",
        ),
    ],
)
def test_it_says_in_words_what_it_does(one: Step, says: str) -> None:
    assert one.value.describe() == says
