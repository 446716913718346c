"""lit_export.front.settled: objects become plain values or placeholders, and what was shared still is."""

import uuid
from collections import deque
from typing import Any

import numpy as np
import pytest

from lit_export.front.plain_values import (
    Budget,
    EnumMember,
    Foreign,
    Instance,
    Named,
    NotPlainError,
    TensorOutline,
    TorchValue,
)
from lit_export.front.settled import holds_weights, replaced, settled


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        (Named("torch.float16"), TorchValue("constant", "torch.float16")),
        (Named("os.system"), Foreign("os.system", "name")),
        (Instance("a.Net"), Foreign("a.Net")),
        (Instance("a.Stage", ("x",)), EnumMember("a.Stage", "x")),
        (Instance("functools.partial", (Named("a.f"),), (Named("a.f"), (), {}, None)), Foreign("a.f", "partial")),
        (Instance("functools.partial"), Foreign("functools.partial")),
        (Instance("a.Net", state={"_parameters": {}, "_buffers": {}, "_modules": {}}), Foreign("a.Net", "module")),
        (Instance("uuid.UUID", state={"int": 5}), uuid.UUID(int=5)),
        (Instance("uuid.UUID", state={"int": -5}), Foreign("uuid.UUID")),
        (Instance("numpy.dtype", ("f4", False, True)), np.dtype("f4")),
        (Instance("numpy.dtype", ("evil",)), Foreign("numpy.dtype")),
        (Instance("numpy._core.multiarray._reconstruct"), Foreign("numpy._core.multiarray._reconstruct")),
        (Instance("omegaconf.dictconfig.DictConfig"), None),
        (Instance("omegaconf.nodes.AnyNode", state={"_val": 3}), 3),
        (TensorOutline("float32", (), None, form="array", parts=(Instance("a.B"),)), Foreign("torch.Tensor")),
    ],
)
def test_an_object_becomes_what_it_stands_for(value: Any, becomes: Any) -> None:
    assert settled({"a": [value, (value,)]}, Budget(0)) == {"a": [becomes, (becomes,)]}


def test_what_was_shared_is_shared_and_circles_end() -> None:
    shared: list[Any] = [Instance("a.B")]
    circle: dict[str, Any] = {"list": shared, "queue": deque([shared])}
    circle["self"] = circle

    found = settled(circle, Budget(0))

    assert found["self"] is found
    assert found["list"] is found["queue"][0]
    assert found["list"] == [Foreign("a.B")]


def test_an_object_that_holds_itself_is_a_placeholder() -> None:
    array = Instance("numpy._core.multiarray._reconstruct")
    array.state = (1, (1,), Instance("numpy.dtype", ("O8", False, True)), False, [array])

    assert settled([array], Budget(0))[0].tolist() == [Foreign(array.path)]


def test_a_tuple_without_objects_stays_the_same_one() -> None:
    value = (1, ("a", 2))

    assert settled([value], Budget(0))[0] is value


@pytest.mark.parametrize("kind", [list, tuple])
def test_what_is_nested_without_end_is_refused(kind: Any) -> None:
    value: Any = 1
    for _ in range(200):
        value = kind([value])

    with pytest.raises(NotPlainError, match="nested more than 100 deep"):
        settled(value, Budget(0))


def test_leaves_are_replaced_where_they_are() -> None:
    value = {"a": [1.5, frozenset("x")]}

    found = replaced(value, lambda leaf, _: "set" if isinstance(leaf, frozenset) else leaf)

    assert found is value
    assert found == {"a": [1.5, "set"]}


def test_a_module_is_known_by_its_tables() -> None:
    assert holds_weights(Instance("a.B", state={"_parameters": {}, "_buffers": {}, "_modules": {}, "training": True}))
    assert not holds_weights(Instance("a.B", state={"_parameters": {}}))
