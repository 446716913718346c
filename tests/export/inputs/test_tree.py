"""lit_export.inputs.tree: nested arguments and answers."""

import types
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from lit_export.inputs import tree


@dataclass(frozen=True)
class Frozen:
    image: Any
    extra: Any = None

    def __post_init__(self) -> None:
        assert not isinstance(self.image, str)


class Pair(NamedTuple):
    left: Any
    right: Any


def test_leaves_have_the_names_of_their_places() -> None:
    found = tree.leaves({"a": Pair(1, [2, None]), "b-c": Frozen(3, types.SimpleNamespace(deep=4))})

    assert list(found) == [
        ("a_left", 1),
        ("a_right_0", 2),
        ("a_right_1", None),
        ("b_c_image", 3),
        ("b_c_extra_deep", 4),
    ]


@pytest.mark.parametrize(
    "value",
    [{"a": 1}, (1, [1]), Pair(1, (1,)), types.SimpleNamespace(a=1), {"x": Frozen(1, {"y": 1})}, 1],
)
def test_a_structure_is_rebuilt_and_the_original_stays(value: Any) -> None:
    before = repr(value)

    changed = tree.mapped(value, lambda leaf: None if leaf is None else leaf + 1)

    assert type(changed) is type(value)
    assert repr(changed) == before.replace("1", "2")
    assert repr(value) == before


def test_no_init_is_called_for_a_dataclass() -> None:
    assert tree.mapped(Frozen(1), lambda leaf: "text" if leaf == 1 else leaf).image == "text"


def test_names_that_are_there_already_get_a_number() -> None:
    assert tree.unique(["a", "a", "b", "a"], ("b",)) == ["a", "a_2", "b_2", "a_3"]
