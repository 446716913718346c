"""Steps read off somebody's transform, by names and attributes alone. With the libraries' own: the files beside."""

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import ImageOps

from lit_infer.images.framing import CenterCrop
from lit_infer.images.from_transform import FROM_TRANSFORM, read
from lit_infer.images.from_transform.facts import PartReader
from lit_infer.images.preprocess import Step
from lit_infer.images.resizing import Resize
from lit_infer.images.values import ExifTranspose, Normalize, Scale
from tests.support.transforms import part


def resize(size: Any = 8, interpolation: str = "bilinear", max_size: int | None = None) -> Any:
    return part("Resize", size=size, interpolation=SimpleNamespace(value=interpolation), max_size=max_size)


IMAGE, FLOAT = part("ToImage"), part("ToDtype", dtype="torch.float32", scale=True)
NORMALIZE = part("Normalize", mean=[0.5], std=[0.25])


def compose(*parts: Any) -> Any:
    return part("Compose", transforms=list(parts))


def test_a_composition_is_its_steps_in_order_however_it_is_nested() -> None:
    inner = compose(resize([16, 12], "bicubic"), part("CenterCrop", size=[8, 8]))

    found = read(compose(ImageOps.exif_transpose, inner, IMAGE, FLOAT, NORMALIZE))

    assert found.steps == (
        Step(exif_transpose=ExifTranspose()),
        Step(resize=Resize(size=(16, 12), interpolation="bicubic")),
        Step(center_crop=CenterCrop(size=(8, 8))),
    )
    assert found.normalize == Normalize(mean=(0.5,), std=(0.25,))


@pytest.mark.parametrize(
    "ending",
    [
        (IMAGE, FLOAT),
        (part("PILToTensor"), part("ConvertImageDtype", dtype="torch.float32")),
        (part("ToTensor"),),
        (part("ToTensor"), NORMALIZE),
    ],
)
def test_every_usual_ending_is_known(ending: tuple[Any, ...]) -> None:
    found = read(compose(resize(), *ending))

    assert found.steps == (Step(resize=Resize(size=8)),)
    assert (found.is_float, found.scale) == (True, None)  # by 255, inside the graph


def test_the_preset_of_pretrained_weights_is_all_steps_in_one() -> None:
    preset = part(
        "ImageClassification",
        resize_size=[256],
        crop_size=[224],
        interpolation=SimpleNamespace(value="bilinear"),
        mean=[0.1, 0.2, 0.3],
        std=[1.0, 1.0, 1.0],
    )

    found = read(preset)

    assert found.steps == (Step(resize=Resize(size=256)), Step(center_crop=CenterCrop(size=224)))
    assert found.normalize == Normalize(mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 1.0))


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ([resize(), part("RandomHorizontalFlip"), IMAGE, FLOAT], "RandomHorizontalFlip is for training; drop it"),
        ([part("ColorJitter"), IMAGE, FLOAT], "ColorJitter is for training; drop it"),
        ([part("HorizontalFlip", library="albumentations", p=0.5)], "HorizontalFlip is for training; drop it"),
        ([part("Resize", library="albumentations", p=0.5)], r"Resize is random \(p=0.5\): give p=1, or drop it"),
        ([part("Resize", library="mine", size=8), IMAGE, FLOAT], "Resize cannot be expressed: move it into forward"),
        ([resize(), lambda image: image, IMAGE, FLOAT], "<lambda> cannot be expressed: move it into forward"),
        ([part("Resize", library="kornia"), FLOAT], "kornia's Resize is not supported before the image is a tensor"),
        ([part("Resize", library="albumentations", width=8)], "Resize of this release is not known here"),
        ([IMAGE, IMAGE, FLOAT], "ToImage is not supported: the image is a tensor already"),
        ([part("ToTensor"), part("ToTensor")], "ToTensor is not supported: the image is a tensor already"),
        ([IMAGE, part("ToDtype", dtype="torch.float16", scale=True)], r"ToDtype\(torch.float16\) cannot be expressed"),
        ([FLOAT], "must end in float32"),  # which leaves PIL images as they are
        ([part("RandomResizedCrop"), IMAGE, FLOAT], "evaluate with a Resize and a CenterCrop"),
        ([partial(max, 1), IMAGE, FLOAT], r"partial\(max\) cannot be expressed"),
        ([part("Grayscale", num_output_channels=4), IMAGE, FLOAT], "its steps cannot be expressed"),
        ([IMAGE, NORMALIZE, FLOAT], "Normalize is not supported before the values are float32"),
        ([NORMALIZE], "Normalize is not supported before the image is a tensor"),
        ([IMAGE, resize(interpolation="lanczos"), FLOAT], "torch's tensors has no interpolation lanczos"),
        ([resize(), ImageOps.exif_transpose, IMAGE, FLOAT], "exif_transpose comes first"),
        ([resize(), IMAGE], "must end in float32"),
        ([], "must end in float32"),
    ],
)
def test_what_the_runtime_would_not_repeat_is_refused_and_nothing_passed_over(parts: list[Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(compose(*parts))


def test_a_subclass_may_do_anything_and_is_not_taken_for_its_base() -> None:
    base = type(resize())
    mine = type("Mine", (base,), {"__module__": "mine"})(size=8, interpolation="bilinear")

    with pytest.raises(ValueError, match="Mine cannot be expressed"):
        read(compose(mine, IMAGE, FLOAT))


def test_a_second_normalisation_stays_a_step_of_its_own() -> None:
    found = read(compose(IMAGE, FLOAT, NORMALIZE, NORMALIZE))

    assert [step.kind for step in found.steps] == ["scale", "normalize"]
    assert found.normalize == Normalize(mean=(0.5,), std=(0.25,))


def test_values_that_are_not_scaled_stay_as_they_are() -> None:
    found = read(compose(IMAGE, part("ToDtype", dtype="torch.float32", scale=False), NORMALIZE))

    assert (found.steps, found.scale) == ((), Scale(by=1.0))


def test_every_row_is_of_a_library_and_gives_steps_of_the_manifest() -> None:
    libraries = {"PIL", "torchvision", "torch", "albumentations", "timm", "transformers", "kornia", "monai",
                 "ultralytics"}  # fmt: skip

    assert {name.partition(".")[0] for name in FROM_TRANSFORM} == libraries
    for row in FROM_TRANSFORM.values():
        assert isinstance(row, PartReader)
        assert set(row.steps) <= set(Step.__struct_fields__)
