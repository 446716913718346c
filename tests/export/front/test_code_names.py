"""lit_export.front.code_names: dotted paths of code among hyperparameters."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lit_export.front.code_names import is_trusted, named, read
from lit_export.front.placeholder import NamedCode
from lit_export.front.plain_values import EnumMember, Foreign
from lit_infer.errors import UsageError
from tests.export import ways


@pytest.mark.parametrize(
    ("path", "packages", "trusted"),
    [
        ("mine.nets.Net", ["mine"], True),
        ("mine.nets.Net", ["other", "mine.nets"], True),
        ("mineral.Net", ["mine"], False),
        ("mine", ["mine"], False),
        ("mine.nets.Net", [""], False),
        ("mine.nets.Net", [], False),
    ],
)
def test_a_package_is_trusted_by_its_whole_name(path: str, packages: list[str], trusted: bool) -> None:
    assert is_trusted(path, packages) == trusted


@pytest.mark.parametrize("key", ["class_path", "_target_"])
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: [{"deep": (value,)}]], ids=["direct", "deep"])
def test_a_value_that_names_code_is_a_placeholder_unless_its_package_is_trusted(key: str, wrap: Any) -> None:
    value = wrap({key: "mine.nets.Net"})

    assert read(value, None, (), made=False) == NamedCode("mine.nets.Net")
    assert read(value, None, (), made=True) == NamedCode("mine.nets.Net")
    assert read(value, None, ("mine",), made=False) == value


@pytest.mark.parametrize(
    "path",
    [
        "torch.hub.load",
        "torch.nn.modules.module.functools.partial",
        "torch.nn.modules.module.torch",
        "torch.optim.lr_scheduler.warnings.warn",
        "torch.nn.functional.relu",
        "torch.nn.init.os.system",
        "os.system",
        3,
    ],
)
def test_of_torch_only_its_modules_and_optimizers_are_followed(path: Any) -> None:
    assert named({"class_path": path}, ()) is not None


@pytest.mark.parametrize("path", ["torch.nn.GELU", "torch.nn.modules.activation.GELU", "torch.optim.Adam"])
def test_torch_s_modules_and_optimizers_need_no_trust(path: str) -> None:
    assert named({"class_path": path}, ()) is None


def test_a_value_that_holds_itself_ends() -> None:
    value: list[Any] = []
    value.append(value)

    assert named(value, ()) is None


def test_described_objects_are_made_as_deep_as_they_are() -> None:
    described = {"class_path": "torch.nn.PReLU", "init_args": {"num_parameters": 2}}

    assert read(described, nn.Module, (), made=True).weight.shape == (2,)
    assert isinstance(read([{"a": described}], list, (), made=True)[0]["a"], nn.PReLU)


def test_for_a_callable_it_is_a_function_that_makes_it() -> None:
    described = {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.5}}

    found = read(described, Callable[[Any], torch.optim.Optimizer] | None, (), made=True)

    assert isinstance(found, functools.partial)
    assert found.keywords == {"lr": 0.5}


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        ("TWICE", ways.Mode, ways.Mode.TWICE),
        ("TWICE", ways.Mode | None, ways.Mode.TWICE),
        ("TWICE", str, "TWICE"),
        ("a/b", Path, Path("a/b")),
        ([1, 2], tuple[int, int], (1, 2)),
        ([1, 2], list[int], [1, 2]),
        (3, int, 3),
    ],
)
def test_text_becomes_what_the_annotation_says(value: Any, annotation: Any, expected: Any) -> None:
    assert read(value, annotation, (), made=True) == expected


def test_a_trusted_class_that_is_not_there_is_explained() -> None:
    with pytest.raises(UsageError, match=r"tests\.export\.ways has no Lost"):
        read({"class_path": "tests.export.ways.Lost"}, None, ("tests",), made=True)


@pytest.mark.parametrize(
    ("found", "annotation", "expected"),
    [
        (EnumMember("tests.export.ways.Mode", 2), None, ways.Mode.TWICE),
        (EnumMember("tests.export.ways.Mode", name="TWICE"), None, ways.Mode.TWICE),
        (EnumMember("moved.since.Mode", 2), ways.Mode | None, ways.Mode.TWICE),
        (Foreign("torch.nn.modules.activation.GELU", "name"), None, nn.GELU),
        (Foreign("torch.optim.adam.Adam", "name"), None, torch.optim.Adam),
        (Foreign("torch.nn.functional.relu", "name"), None, nn.functional.relu),
        (Foreign("torch._C._nn.gelu", "name"), None, nn.functional.gelu),
    ],
)
def test_a_placeholder_is_what_it_names_where_that_is_known(found: Any, annotation: Any, expected: Any) -> None:
    assert read({"a": [found]}, annotation, (), made=False) == {"a": [expected]}


@pytest.mark.parametrize(
    "found",
    [
        EnumMember("tests.export.ways.Mode", 7),
        EnumMember("moved.since.Mode", 2),
        EnumMember("tests.export.ways.Net", 2),
        Foreign("torch.nn.modules.activation.GELU"),
        Foreign("torch.optim.adam.Adam", "partial"),
        Foreign("torch.load", "name"),
        Foreign("torch.nn.functional.torch", "name"),
        Foreign("tests.export.ways.Net", "name"),
    ],
)
def test_any_other_stays_a_placeholder(found: Any) -> None:
    assert read(found, None, (), made=False) == found


def test_a_class_of_a_trusted_package_is_followed() -> None:
    assert read(Foreign("tests.export.ways.Net", "name"), None, ("tests",), made=False) is ways.Net
