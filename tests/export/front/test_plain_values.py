"""lit_export.front.plain_values: placeholders, torch's values, and what reading may cost."""

from typing import Any

import pytest

from lit_export.front.plain_values import (
    AttributeDict,
    Budget,
    EnumMember,
    Foreign,
    Instance,
    Named,
    NotPlainError,
    Storage,
    TensorOutline,
    TorchValue,
    is_constant,
    storage,
    tensors,
)


@pytest.mark.parametrize(
    ("kind", "key", "count"),
    [
        (Named("torch.StringStorage"), "0", 1),
        ("FloatStorage", "0", 1),
        (Named("torch.FloatStorage"), 0, 1),
        (Named("torch.FloatStorage"), "0", -1),
        (Named("torch.FloatStorage"), "0", True),
        (Named("torch.FloatStorage"), "0", 1.0),
    ],
)
def test_a_storage_of_no_known_kind_or_size_is_refused(kind: Any, key: Any, count: Any) -> None:
    with pytest.raises(NotPlainError, match="a storage of unknown kind or size"):
        storage(kind, key, "cpu", count)


@pytest.mark.parametrize(("kind", "bytes_"), [("Bool", 3), ("BFloat16", 6), ("Float", 12), ("ComplexDouble", 48)])
def test_a_storage_knows_its_bytes(kind: str, bytes_: int) -> None:
    assert storage(Named(f"torch.{kind}Storage"), "0", "cuda:0", 3).bytes == bytes_


@pytest.mark.parametrize(
    ("path", "constant"),
    [
        ("torch.float16", True),
        ("torch.per_channel_affine", True),
        ("torch.FloatStorage", False),
        ("torch.load", False),
        ("os.float32", False),
        ("torch.nn.float32", False),
    ],
)
def test_torchs_dtypes_are_values(path: str, constant: bool) -> None:
    assert is_constant(path) == constant


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Foreign("torch.optim.Adam"), "<torch.optim.Adam object>"),
        (Foreign("torch.optim.Adam", "name"), "<torch.optim.Adam>"),
        (Foreign("torch.optim.Adam", "partial"), "<functools.partial of torch.optim.Adam>"),
        (EnumMember("a.Stage", "train"), "a.Stage('train')"),
        (EnumMember("a.Stage", name="TRAIN"), "a.Stage.TRAIN"),
        (TorchValue("size", (2, 3)), "[2, 3]"),
        (TorchValue("device", "cuda:0"), "cuda:0"),
    ],
)
def test_a_placeholder_reads_as_what_it_stands_for(value: Any, shown: str) -> None:
    assert str(value) == shown


def test_a_namespace_is_a_dict_that_is_read_by_attributes() -> None:
    found = AttributeDict(depth=2, items=3)
    found.width = 4

    assert (found.depth, found["width"], len(found)) == (2, 4, 3)
    assert list(found.items()) == [("depth", 2), ("items", 3), ("width", 4)]
    assert not hasattr(found, "height")


@pytest.mark.parametrize(
    ("instance", "is_one"),
    [
        (Instance("a.Stage", ("train",)), True),
        (Instance("a._Stage", (1,)), True),
        (Instance("os.system", ("true",)), False),
        (Instance("a.Net", ("x", 1)), False),
        (Instance("a.Net", ("x",), {"a": 1}), False),
        (Instance("a.Net", ([],)), False),
    ],
)
def test_a_class_called_with_one_value_may_be_an_enum(instance: Instance, is_one: bool) -> None:
    assert instance.is_member() == is_one


def test_slots_beside_the_attributes_are_left_out() -> None:
    assert Instance("a.B", state=({"a": 1}, {"b": 2})).attributes() == {"a": 1}
    assert Instance("a.B", state=[1]).attributes() == {}


def test_a_budget_grows_with_the_file_and_ends() -> None:
    budget = Budget(1 << 20)
    budget.spend(30 << 20)

    with pytest.raises(NotPlainError, match="very much memory"):
        budget.spend(30 << 20)


def test_a_tensor_is_listed_with_those_it_is_made_of() -> None:
    inner = TensorOutline("Long", (2,), Storage("0", "Long", 2))
    whole = TensorOutline("Float", (3,), None, form="sparse", parts=("torch.sparse_coo", True, inner))

    assert list(tensors(whole)) == [whole, inner]
