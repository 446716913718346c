"""lit_export.front.placeholder: what stands for an object that is not read from a file."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from torch import nn

from lit_export.front.placeholder import UnreadError, first, guarded, is_part, only_trains
from lit_export.front.plain_values import Foreign
from lit_infer.errors import ArtifactError

OBJECT = Foreign("their.Object")


def test_the_first_placeholder_is_found_however_deep() -> None:
    assert first({"a": 1, "b": [{"c": (OBJECT,)}]}) is OBJECT
    assert first({"a": [1, "x"]}) is None


@pytest.mark.parametrize(
    "use",
    [
        lambda value: value.width,
        lambda value: value(),
        lambda value: value[0],
        bool,
        len,
        list,
        float,
        lambda value: value + 1,
        lambda value: 1 in value,
    ],
)
def test_any_use_of_one_is_an_error_that_names_it(use: Callable[[Any], Any]) -> None:
    held = guarded({"plain": 1, "deep": [OBJECT]}, "config")

    assert held["plain"] == 1
    with pytest.raises(ArtifactError, match=r"uses config.deep.0, an object \(their.Object\).*--factory"):
        use(held["deep"][0])


def test_one_that_is_only_kept_disturbs_nothing() -> None:
    held = guarded(OBJECT, "net")

    assert copy.deepcopy({"a": held})["a"] is held
    assert repr(held) == "<net: their.Object, not read>"


def test_the_module_s_own_code_may_not_ask_what_it_is_and_torch_may() -> None:
    module = nn.Module()
    module.loss, module.metrics = guarded(OBJECT, "loss"), guarded(Foreign("their.Metrics", "module"), "metrics")

    assert [name for name, _ in module.named_children()] == ["metrics"]
    for held in (module.loss, module.metrics):
        with pytest.raises(UnreadError):
            isinstance(held, int)
        with pytest.raises(UnreadError):
            hasattr(held, "width")


@pytest.mark.parametrize(
    ("key", "trains"), [("optimizer", True), ("lr_scheduler", True), ("optim_cls", True), ("net", False)]
)
def test_what_only_training_needs_is_known_by_its_name(key: str, trains: bool) -> None:
    assert only_trains(key) == trains


@pytest.mark.parametrize(
    ("key", "found", "part"),
    [
        ("net", Foreign("their.Net", "module"), True),
        ("encoder", Foreign("their.Encoder"), True),
        ("act", Foreign("their.Act"), False),
        ("loss", Foreign("their.Loss", "module"), False),
        ("logging_metrics", Foreign("torch.nn.modules.container.ModuleList", "module"), False),
        ("objective", Foreign("torch.nn.modules.loss.CrossEntropyLoss", "module"), False),
    ],
)
def test_parts_of_the_module_have_weights(key: str, found: Foreign, part: bool) -> None:
    assert is_part(key, found, {"encoder", "loss"}) == part
