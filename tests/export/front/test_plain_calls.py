"""lit_export.front.plain_calls: the calls in a pickle that make plain data, and keys."""

import datetime
import decimal
import pathlib
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any

import numpy as np
import pytest

from lit_export.front import plain_calls
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
)

FLOATS = Storage("0", "Float", 12)


def called(path: str, *arguments: Any, budget: Budget | None = None) -> Any:
    return plain_calls.called(Named(path), arguments, budget or Budget(1 << 20))


@pytest.mark.parametrize(
    ("path", "arguments", "value"),
    [
        ("collections.OrderedDict", (), OrderedDict()),
        ("collections.OrderedDict", ([["a", 1]],), OrderedDict(a=1)),
        ("collections.Counter", ({"a": 2},), Counter(a=2)),
        ("collections.defaultdict", (Named("builtins.list"),), defaultdict(list)),
        ("collections.defaultdict", (Named("os.system"),), {}),
        ("collections.deque", ([1, 2], 3), deque([1, 2], 3)),
        ("argparse.Namespace", (), AttributeDict()),
        ("builtins.set", ([1, 2],), {1, 2}),
        ("builtins.frozenset", ([1],), frozenset([1])),
        ("builtins.complex", (1, 2.0), 1 + 2j),
        ("builtins.range", (0, 4, 2), range(0, 4, 2)),
        ("builtins.slice", (1, None, None), slice(1, None)),
        ("builtins.getattr", (Named("a.Stage"), "TRAIN"), EnumMember("a.Stage", name="TRAIN")),
        ("_codecs.encode", ("é", "latin1"), b"\xe9"),
        ("pathlib.PurePosixPath", ("/", "a"), pathlib.PurePosixPath("/a")),
        ("pathlib.WindowsPath", ("C:\\", "a"), pathlib.PureWindowsPath("C:\\a")),
        ("datetime.date", (b"\x07\xe4\x01\x02",), datetime.date(2020, 1, 2)),
        ("datetime.timedelta", (1, 2, 3), datetime.timedelta(1, 2, 3)),
        ("decimal.Decimal", ("1.5",), decimal.Decimal("1.5")),
        ("torch.Size", ([2, 3],), TorchValue("size", (2, 3))),
        ("torch.device", ("cuda", 1), TorchValue("device", "cuda:1")),
        ("torch.serialization._get_layout", ("torch.strided",), TorchValue("layout", "torch.strided")),
        (
            "torch._tensor._rebuild_from_type_v2",
            (Named("torch._utils._rebuild_parameter"), Named("a.B"), (TensorOutline("Float", (), FLOATS),), {}),
            TensorOutline("Float", (), FLOATS),
        ),
    ],
)
def test_what_makes_data_is_done(path: str, arguments: tuple[Any, ...], value: Any) -> None:
    found = called(path, *arguments)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("os.system", ("true",)),
        ("builtins.bytearray", (10**12,)),
        ("builtins.bytes", (10**12,)),
        ("collections.OrderedDict", ([[1]],)),
        ("collections.Counter", ("abc",)),
        ("builtins.set", (7,)),
        ("builtins.complex", ("1",)),
        ("_codecs.encode", ("x", "rot13")),
        ("builtins.getattr", (Named("os"), "system('x')")),
        ("pathlib.PosixPath", (1,)),
        ("datetime.datetime", (b"short",)),
        ("decimal.Decimal", ("1" * 2000,)),
        ("torch.Size", ([-1],)),
        ("torch.device", (1,)),
        ("fractions.Fraction", ("1e999999999",)),
    ],
)
def test_any_other_call_is_named_and_not_made(path: str, arguments: tuple[Any, ...]) -> None:
    found = called(path, *arguments)

    assert isinstance(found, Instance)
    assert found.path == path


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("torch._utils._rebuild_tensor_v2", (FLOATS, 0, (2,), ())),
        ("torch._utils._rebuild_parameter", ([],)),
        ("torch._tensor._rebuild_from_type_v2", (Named("os.system"), None, ("true",), None)),
    ],
)
def test_a_tensor_that_torch_could_not_write_is_refused(path: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(NotPlainError, match=r"with other arguments than torch\.save does"):
        called(path, *arguments)


def test_only_what_has_a_name_is_called() -> None:
    with pytest.raises(NotPlainError, match="calls a str"):
        plain_calls.called("os.system", (), Budget(0))


def test_an_object_of_the_oldest_protocols_is_known_by_its_class() -> None:
    found = called("copyreg._reconstructor", Named("a.Net"), Named("builtins.object"), None)

    assert (type(found), found.path) == (Instance, "a.Net")
    assert called("copyreg.__newobj__", Named("argparse.Namespace")) == AttributeDict()


def test_a_copy_of_something_large_is_paid_for() -> None:
    large, budget = [["a", 1]] * 300_000, Budget(1 << 20)

    called("collections.OrderedDict", large, budget=budget)
    with pytest.raises(NotPlainError, match="very much memory"):
        called("collections.OrderedDict", large, budget=budget)


@pytest.mark.parametrize("key", ["a", 1, 1.5, True, None, b"x", ("a", (1, 2)), np.int64(3), datetime.date(2020, 1, 1)])
def test_plain_keys_are_keys(key: Any) -> None:
    assert plain_calls.key_of(key, Budget(0)) == key


@pytest.mark.parametrize(
    ("key", "becomes"),
    [
        (Named("torch.float32"), TorchValue("constant", "torch.float32")),
        (
            Named("lightning.pytorch.callbacks.ModelCheckpoint"),
            Foreign("lightning.pytorch.callbacks.ModelCheckpoint", "name"),
        ),
        (Instance("a.Stage", ("train",)), EnumMember("a.Stage", "train")),
        (Instance("a.Node"), Foreign("a.Node")),
        ((1, Instance("a.Node")), (1, Foreign("a.Node"))),
    ],
)
def test_a_class_or_object_as_a_key_is_named(key: Any, becomes: Any) -> None:
    assert plain_calls.key_of(key, Budget(0)) == becomes


@pytest.mark.parametrize("key", [["a"], (["a"],), {}, {1}])
def test_what_cannot_be_a_key_is_refused_unhashed(key: Any) -> None:
    with pytest.raises(NotPlainError, match="a key that is a "):
        plain_calls.key_of(key, Budget(0))


def test_numbers_chosen_to_collide_are_few() -> None:
    numbers = [count * (2**61 - 1) for count in range(100_000)]

    with pytest.raises(NotPlainError, match="very much memory"):
        called("builtins.set", numbers, budget=Budget(1 << 10))


@pytest.mark.parametrize(("module", "name"), [(1, "a"), ("os", "a\nb"), ("\x1b[2J", "a"), ("a" * 2000, "b")])
def test_a_name_that_cannot_be_shown_is_refused(module: Any, name: str) -> None:
    with pytest.raises(NotPlainError, match="a name that "):
        plain_calls.named(module, name)
