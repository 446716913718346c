"""Hugging Face's image processors, by their names and attributes; with the real ones: benchmarks/transforms.md.

The package is not installed here: importing it makes others look for it.
"""

from typing import Any

import pytest

from lit_infer.images.framing import CenterCrop, Pad
from lit_infer.images.from_transform import read
from lit_infer.images.resizing import Resize
from lit_infer.images.values import Normalize, Scale
from tests.support.pixel_steps import step
from tests.support.transforms import part

HALF = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}


def processor(name: str, **changes: Any) -> Any:
    given: dict[str, Any] = {
        "do_resize": True,
        "size": {"height": 224, "width": 200},
        "resample": 2,
        "do_center_crop": False,
        "crop_size": None,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        **HALF,
    }
    return part(name, library="transformers", **(given | changes))


@pytest.mark.parametrize(
    ("name", "changes", "library"),
    [
        ("ViTImageProcessor", {}, "pil"),  # up to version 4
        ("ViTImageProcessorFast", {}, "torch"),
        ("ViTImageProcessor", {"backend": "torchvision"}, "torch"),  # from version 5 on
        ("ViTImageProcessorPil", {"backend": "pil"}, "pil"),
    ],
)
def test_whose_resize_it_is_the_object_says(name: str, changes: dict[str, Any], library: Any) -> None:
    found = read(processor(name, **changes))

    assert found.steps == (step(resize={"size": (224, 200), "library": library}),)
    assert (found.scale, found.normalize) == (None, Normalize(mean=(0.5,) * 3, std=(0.5,) * 3))


def test_a_shorter_edge_and_a_crop() -> None:
    found = read(
        processor(
            "CLIPImageProcessor",
            size={"shortest_edge": 256},
            resample=3,
            do_center_crop=True,
            crop_size={"height": 224, "width": 224},
        )
    )

    assert [one.value for one in found.steps] == [
        Resize(size=256, interpolation="bicubic"),
        CenterCrop(size=(224, 224), rounding="down", smaller="pad_more_first"),
    ]


def test_the_most_of_both_sides_keeps_the_ratio() -> None:
    found = read(processor("SiglipImageProcessor", size={"max_height": 64, "max_width": 48}))

    assert found.steps[0].value == Resize(size=(64, 48), keep_ratio="fit")


@pytest.mark.parametrize(("edge", "kinds"), [(224, ["resize", "center_crop"]), (384, ["resize"])])
def test_convnext_crops_below_384_pixels(edge: int, kinds: list[str]) -> None:
    found = read(processor("ConvNextImageProcessor", size={"shortest_edge": edge}, crop_pct=0.875))

    assert [one.kind for one in found.steps] == kinds
    assert found.steps[0].value == Resize(size=256 if edge == 224 else (384, 384))


@pytest.mark.parametrize(
    ("changes", "scale"),
    [
        ({"rescale_factor": 1 / 127.5}, Scale(by=127.5)),
        ({"do_rescale": False}, Scale(by=1.0)),
        ({"rescale_factor": 0.00392156862745098}, None),
    ],
)
def test_values_are_scaled_by_what_it_says(changes: dict[str, Any], scale: Scale | None) -> None:
    assert read(processor("ViTImageProcessor", **changes)).scale == scale


def test_padding_is_of_zeros_after_the_normalisation_at_the_right_and_the_bottom() -> None:
    found = read(processor("ViTImageProcessor", do_pad=True, pad_size={"height": 224, "width": 256}))

    assert [one.kind for one in found.steps] == ["resize", "scale", "normalize", "pad"]
    assert found.steps[3].value == Pad(size=(224, 256), position="top_left")


@pytest.mark.parametrize(
    ("name", "how"), [("ViTImageProcessorFast", "nearest_exact"), ("ViTImageProcessor", "nearest")]
)
def test_nearest_by_torchvision_is_nearest_exact(name: str, how: str) -> None:
    assert read(processor(name, resample=0)).steps[0].value.interpolation == how  # type: ignore[union-attr]


def test_mobilevit_gives_bgr() -> None:
    flipped = processor("MobileViTImageProcessor", do_normalize=False, do_flip_channel_order=True)

    assert [one.kind for one in read(flipped).steps] == ["resize", "scale", "channels"]


@pytest.mark.parametrize(
    ("name", "changes", "says"),
    [
        ("ViTImageProcessor", {"do_pad": True}, r"do_pad=True\) pads to the largest image of a batch"),
        (
            "ViTImageProcessor",
            {"size": {"shortest_edge": 8, "longest_edge": 9}},
            "size of shortest_edge and longest_edge",
        ),
        ("ViTImageProcessor", {"size": {"longest_edge": 9}}, "give height and width, or shortest_edge alone"),
        ("ConvNextImageProcessor", {}, "without a shortest_edge"),
        ("DetrImageProcessor", {}, "DetrImageProcessor cannot be expressed"),
        ("LayoutLMv3ImageProcessor", {}, "LayoutLMv3ImageProcessor cannot be expressed"),
    ],
)
def test_what_it_does_besides_is_refused_by_name(name: str, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(processor(name, **changes))
