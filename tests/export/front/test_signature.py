"""lit_export.front.signature: what classes and functions take."""

from argparse import Namespace
from typing import Any

import pytest

from lit_export.front.signature import Signature
from tests.export import ways


class Starred:
    """Takes what comes."""

    def __init__(self, width: int, *rest: int, depth: int = 2, **more: Any) -> None: ...


class Optional:
    """One argument, which may be left out."""

    def __init__(self, config: Any = None) -> None: ...


def annotated(settings: "dict[str, Any]") -> None: ...


def a_namespace(parsed: Namespace | None, extra: int = 1) -> None: ...


def two(config: Any, other: Any) -> None: ...


def text(config: str, width: int) -> None: ...


def plain(width: int) -> None: ...


def test_names_and_what_is_needed() -> None:
    found = Signature.of(Starred)

    assert (list(found.known), found.required, found.anything) == (["width", "depth"], ["width"], True)
    assert found.kind("width") == "int"
    assert found.kind("more") is None


def test_a_class_that_hands_its_arguments_on_takes_its_parents_too() -> None:
    found = Signature.of(ways.Passing)

    assert (set(found.known), set(found.own)) == ({"width", "scale"}, set())


def test_a_function_takes_all_of_its_arguments() -> None:
    assert list(Signature.of(ways.composed).known) == ["scale", "width"]


@pytest.mark.parametrize(
    ("make", "recorded", "whole"),
    [
        (ways.Configured, {"width": 1}, "cfg"),
        (ways.Configured, {"cfg": {"width": 1}}, None),
        (ways.Configured, {}, None),
        (Optional, {"width": 1}, "config"),
        (annotated, {"width": 1}, "settings"),
        (a_namespace, {"width": 1}, "parsed"),
        (two, {"width": 1}, "config"),
        (text, {"width": 1}, None),
        (plain, {"depth": 1}, None),
        (ways.Simple, {"width": 1}, None),
    ],
)
def test_one_argument_may_take_all(make: Any, recorded: dict[str, Any], whole: str | None) -> None:
    assert Signature.of(make).whole(recorded) == whole
