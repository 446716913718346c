"""What a transform does to an image, as far as it was read, and what of it goes into the graph."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.transforms import v2

from lit_infer.images.framing import CenterCrop
from lit_infer.images.from_transform.facts import TransformFacts, as_step, lifted, name_of, numbers, size
from lit_infer.images.resizing import Resize
from lit_infer.images.values import ExifTranspose, Normalize, Scale
from tests.support.pixel_steps import step

HALF = Normalize(mean=(0.5,), std=(0.5,))


def facts(*steps: Any) -> TransformFacts:
    return TransformFacts().then(*steps)


def kinds(found: TransformFacts) -> list[str]:
    return [one.kind for one in found.steps]


def test_facts_grow_and_stay_as_they_were() -> None:
    before = TransformFacts()
    after = before.then(Resize(size=8), Scale(), form="tensor")

    assert (before.steps, before.form, before.is_float) == ((), "pil", False)
    assert (kinds(after), after.form, after.is_float) == (["resize", "scale"], "tensor", True)
    assert after.in_form("array").form == "array"


def test_a_normalisation_before_float_values_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="Normalize is not supported before the values are float32"):
        TransformFacts().normalized([0.5], [0.5], by="Normalize")


def test_any_value_becomes_the_step_that_it_is() -> None:
    assert as_step(ExifTranspose()) == step(exif_transpose={})
    assert as_step(HALF).kind == "normalize"


@pytest.mark.parametrize(
    ("steps", "left", "scale", "normalize"),
    [
        ([Scale()], [], None, None),
        ([Scale(), HALF], [], None, HALF),
        ([Scale(by=1), HALF], [], Scale(by=1), HALF),
        ([Scale(by=65535), HALF], [], Scale(by=65535), HALF),
        ([Resize(size=(9, 9)), Scale(), HALF], ["resize"], None, HALF),
        ([Scale(), Resize(size=(9, 9))], ["scale", "resize"], None, None),
        ([Scale(), Resize(size=(9, 9)), HALF], ["scale", "resize"], None, HALF),
        ([Resize(size=(9, 9)), Scale(), HALF, CenterCrop(size=8)], ["resize", "center_crop"], None, HALF),
        ([Resize(size=9), Scale(), HALF, CenterCrop(size=8)], ["resize", "center_crop"], None, HALF),
        # a crop that may pad adds zeros after the normalisation
        ([Scale(), HALF, CenterCrop(size=8)], ["scale", "normalize", "center_crop"], None, None),
        ([Resize(size=7), Scale(), HALF, CenterCrop(size=8)], ["resize", "scale", "normalize", "center_crop"], None,
         None),
        ([Scale(by=1), Resize(size=(9, 9)), Scale()], ["scale", "resize"], Scale(), None),  # of floats: said
        ([Scale(), HALF, CenterCrop(size=8, smaller="error")], ["center_crop"], None, HALF),
    ],
)  # fmt: skip
def test_scaling_and_normalisation_go_into_the_graph_as_far_as_the_order_allows(
    steps: list[Any], left: list[str], scale: Any, normalize: Any
) -> None:
    found = lifted(facts(*steps))

    assert (kinds(found), found.scale, found.normalize) == (left, scale, normalize)


def test_names_are_of_the_library_and_the_class_or_function() -> None:
    class Mine(v2.Resize):
        """A subclass."""

    assert name_of(v2.Resize(8)) == "torchvision.Resize"
    assert name_of(nn.Identity()) == "torch.Identity"
    assert name_of(np.asarray) == "numpy.asarray"
    assert name_of(Mine(8)).endswith(".Mine")
    assert not name_of(Mine(8)).startswith("torchvision")


@pytest.mark.parametrize("given", [[0.5, 0.25], (0.5, 0.25), np.array([0.5, 0.25]), torch.tensor([0.5, 0.25])])
def test_numbers_are_plain(given: Any) -> None:
    assert numbers(given) == (0.5, 0.25)


def test_one_number_is_one_of_one() -> None:
    assert numbers(0.5) == numbers(torch.tensor(0.5)) == (0.5,)


@pytest.mark.parametrize(("given", "wanted"), [(8, 8), ([8], 8), ([8, 9], (8, 9)), (torch.Size([8, 9]), (8, 9))])
def test_a_size_is_a_length_or_a_pair(given: Any, wanted: Any) -> None:
    assert size(given) == wanted


@pytest.mark.parametrize("compiled", [str.upper, np.add, len])
def test_what_is_compiled_has_a_name_though_it_may_have_no_module(compiled: Any) -> None:
    assert name_of(compiled).endswith(f".{compiled.__name__}")
