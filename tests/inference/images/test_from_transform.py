"""Steps read off somebody's transform, by names and attributes alone. With torchvision's own: tests/trainer."""

from types import SimpleNamespace
from typing import Any

import pytest
from PIL import ImageOps

from lit_infer.images.from_transform import FROM_TRANSFORM, read
from lit_infer.images.preprocess import CenterCrop, ExifTranspose, Normalize, Resize, Step


def part(name: str, library: str = "torchvision", **attributes: Any) -> Any:
    """An object of the class `library.somewhere.name`, which is all that is looked at."""
    return type(name, (SimpleNamespace,), {"__module__": f"{library}.transforms.v2"})(**attributes)


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
    assert read(compose(resize(), *ending)).is_scaled


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
        ([resize(), part("RandomHorizontalFlip"), IMAGE, FLOAT], "RandomHorizontalFlip is not supported"),
        ([part("Resize", library="mine", size=8), IMAGE, FLOAT], "Resize is not supported"),
        ([IMAGE, resize(), FLOAT], "Resize is not supported"),
        ([IMAGE, IMAGE, FLOAT], "ToImage is not supported"),
        ([IMAGE, part("ToDtype", dtype="torch.float16", scale=True)], "ToDtype is not supported"),
        ([IMAGE, part("ToDtype", dtype="torch.float32", scale=False)], "ToDtype is not supported"),
        ([IMAGE, NORMALIZE, FLOAT], "Normalize is not supported"),
        ([IMAGE, FLOAT, NORMALIZE, NORMALIZE], "Normalize is not supported"),
        ([resize(max_size=9), IMAGE, FLOAT], "max_size"),
        ([resize(interpolation="lanczos"), IMAGE, FLOAT], "interpolation=lanczos"),
        ([resize(), IMAGE], "must end in ToDtype"),
        ([], "must end in ToDtype"),
    ],
)
def test_what_the_runtime_would_not_repeat_is_refused_and_nothing_passed_over(parts: list[Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(compose(*parts))


def test_a_subclass_may_do_anything_and_is_not_taken_for_its_base() -> None:
    base = type(resize())
    mine = type("Mine", (base,), {"__module__": "mine"})(size=8, interpolation="bilinear")

    with pytest.raises(ValueError, match="Mine is not supported"):
        read(compose(mine, IMAGE, FLOAT))


def test_every_step_of_the_manifest_can_be_read_off_a_transform() -> None:
    assert set(FROM_TRANSFORM) == set(Step.__struct_fields__)
