"""lit_export.front.transform: training's own transform, named by the user, and how it is called."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import albumentations
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from lit_export.front.transform import TrainingTransform, facts, find
from lit_export.options import Options
from lit_infer.errors import ArtifactError, UsageError

IMAGE = Image.fromarray(np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3))
MODULE = """
from torchvision.datasets import ImageFolder
from torchvision import transforms
import lightning.pytorch as pl
from torch.utils.data import DataLoader, Subset

val_transform = transforms.Compose([transforms.ToTensor()])

def make():
    return val_transform

def needs(size):
    return val_transform

def prepare(image):
    return image

class Resized:
    def __call__(self, image):
        return image

class Sized:
    def __init__(self, size):
        pass

number = 3

class Photos(pl.LightningDataModule):
    def val_dataloader(self):
        return DataLoader(Subset(ImageFolder("photos", transform=val_transform), [0]))

class Plain(pl.LightningDataModule):
    def val_dataloader(self):
        return DataLoader([1, 2])
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of the user's in the current folder."""
    name = f"photolab_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    IMAGE.save(tmp_path / "photos" / "cat" / "1.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield name
    sys.modules.pop(name, None)


def made_of(transform: Any, path: Path = Path("1.png")) -> np.ndarray:
    return TrainingTransform("lab:val", transform)(IMAGE, path)


def test_a_transform_of_pil_images_is_called_with_one() -> None:
    assert made_of(v2.Compose([v2.ToImage()])).shape == (3, 4, 6)


def test_a_transform_of_arrays_gets_an_array() -> None:
    def flipped(image: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(image[::-1]) + np.zeros(image.shape, np.float32)

    assert np.array_equal(made_of(lambda image: flipped(image[:, :, :])), np.asarray(IMAGE)[::-1])


def test_albumentations_is_called_by_its_own_convention() -> None:
    assert made_of(albumentations.Compose([albumentations.Resize(2, 3)])).shape == (2, 3, 3)


def test_a_transform_of_files_gets_the_path(tmp_path: Path) -> None:
    path = tmp_path / "1.png"
    IMAGE.save(path)

    def read(file: Any) -> np.ndarray:
        with Image.open(file) as image:
            return np.asarray(image)

    assert np.array_equal(made_of(read, path), np.asarray(IMAGE))


def test_the_image_is_found_in_what_is_returned() -> None:
    tensor = torch.zeros(3, 4, 6)

    for answer in (tensor, (tensor, 5), {"image": tensor}, {"pixel_values": [tensor.numpy()]}, {"img": tensor}):
        assert made_of(lambda _, answer=answer: answer).shape == (3, 4, 6)


def test_how_it_is_called_is_found_out_once() -> None:
    calls = []

    def transform(image: Any) -> Any:
        calls.append(type(image))
        if isinstance(image, Image.Image):
            raise TypeError("arrays only")
        return image

    found = TrainingTransform("lab:val", transform)
    for _ in range(3):
        found(IMAGE, Path("1.png"))

    assert calls == [Image.Image, np.ndarray, *[np.ndarray] * 3]


def test_a_transform_that_takes_nothing_of_that_says_why_not() -> None:
    def broken(image: Any) -> Any:
        raise ValueError("no such colour")

    with pytest.raises(UsageError, match=r"neither a PIL image nor an array nor a path .*no such colour"):
        made_of(broken)


def test_what_it_raises_later_is_told_in_a_line() -> None:
    seen = []

    def moody(image: Any) -> Any:
        seen.append(1)
        if len(seen) > 2:
            raise ValueError("enough")
        return np.asarray(image)

    found = TrainingTransform("lab:val", moody)
    found(IMAGE, Path("1.png"))
    with pytest.raises(ArtifactError, match=r"lab:val on 2\.png failed: ValueError: enough"):
        found(IMAGE, Path("2.png"))


@pytest.mark.parametrize("name", ["val_transform", "make", "prepare", "Resized"])
def test_an_object_a_function_and_what_makes_one_can_be_named(module: str, name: str) -> None:
    found = find(Options(transform=f"{module}:{name}"))

    assert found is not None
    assert found.name == f"{module}:{name}"
    assert found(IMAGE, Path("1.png")).size == 4 * 6 * 3


@pytest.mark.parametrize(
    ("name", "says"),
    [("number", "is a int, not a transform"), ("Sized", "is a class that needs size"), ("gone", "gone")],
)
def test_what_is_no_transform_is_told(module: str, name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        find(Options(transform=f"{module}:{name}"))


def test_a_data_module_s_validation_data_have_theirs_and_their_files(module: str) -> None:
    found = find(Options(data_module=f"{module}:Photos"))

    assert found is not None
    assert type(found.transform).__name__ == "Compose"
    assert [path.name for path in found.paths] == ["1.png"]
    assert [type(part).__name__ for part in found.parts] == ["ToTensor"]


def test_data_without_a_transform_ask_for_one(module: str) -> None:
    with pytest.raises(UsageError, match=r"no attribute `transform`.*\n?.*--transform PKG\.MOD:NAME"):
        find(Options(data_module=f"{module}:Plain"))


INNER = v2.Compose([v2.Resize((4, 4)), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])


def wrapped(image: Image.Image) -> torch.Tensor:
    return INNER(image)


class Around:
    def __init__(self, *inner: Any) -> None:
        self.inner = dict(enumerate(inner))
        self.transform = inner[0]

    def __call__(self, image: Image.Image) -> Any:
        return self.transform(image)


@pytest.mark.parametrize("transform", [wrapped, Around(INNER), INNER])
def test_what_code_is_put_around_is_read(transform: Any) -> None:
    assert facts(TrainingTransform("lab:val", transform)).steps[0].value.size == (4, 4)


def test_code_around_several_asks_which_one() -> None:
    both = Around(INNER)
    both.training = v2.Compose([v2.CenterCrop(4), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])

    with pytest.raises(ValueError, match=r"several transforms \(transform, training\): name the one"):
        facts(TrainingTransform("lab:val", both))


def test_code_around_nothing_that_can_be_read_is_told() -> None:
    with pytest.raises(ValueError, match="Around cannot be expressed"):
        facts(TrainingTransform("lab:val", Around(v2.RandomErasing())))


def test_none_is_named_and_none_is_found() -> None:
    assert find(Options()) is None
    assert TrainingTransform("lab:val", SimpleNamespace()).parts == ()
