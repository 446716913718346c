"""lit_export.plain_values: the few calls that torch.save writes, done on outlines."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_export.plain_values import (
    Foreign,
    Named,
    NotPlainError,
    Storage,
    TensorOutline,
    called,
    is_constant,
    key_of,
    storage,
)

TENSOR = Named("torch._utils._rebuild_tensor_v2")
FLOATS = Storage("0", "Float", 12)
SCALAR = TensorOutline("Float", (), FLOATS)
sizes = st.lists(st.integers(0, 5), max_size=3).map(tuple)


@given(offset=st.integers(0, 9), shape=sizes, data=st.data())
def test_a_tensor_is_taken_exactly_where_all_of_it_is_in_its_storage(
    offset: int, shape: tuple[int, ...], data: st.DataObject
) -> None:
    stride = tuple(data.draw(st.lists(st.integers(0, 6), min_size=len(shape), max_size=len(shape))))
    reach = {offset}
    for side, step in zip(shape, stride, strict=True):
        reach = {at + step * index for at in reach for index in range(side)}

    def build() -> Any:
        return called(TENSOR, (FLOATS, offset, shape, stride, False, None))

    if max(reach, default=0) < FLOATS.count:
        assert build() == TensorOutline("Float", shape, FLOATS)
    else:
        with pytest.raises(NotPlainError, match="in a storage of 12"):
            build()


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
    ("path", "arguments", "value"),
    [
        ("collections.OrderedDict", (), {}),
        ("collections.OrderedDict", ([["a", 1]],), {"a": 1}),
        ("builtins.set", ([1, 2],), [1, 2]),
        ("builtins.complex", (1, 2.0), 1 + 2j),
        ("_codecs.encode", ("é", "latin1"), b"\xe9"),
        ("torch.Size", ([2, 3],), (2, 3)),
        ("torch.device", ("cuda", 1), "cuda:1"),
        (
            "torch._utils._rebuild_parameter",
            (TensorOutline("Float", (), FLOATS), True, {}),
            TensorOutline("Float", (), FLOATS),
        ),
    ],
)
def test_what_torch_writes_is_done(path: str, arguments: tuple[Any, ...], value: Any) -> None:
    assert called(Named(path), arguments) == value


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("collections.OrderedDict", ([[1]],)),
        ("builtins.set", (7,)),
        ("builtins.complex", ("1",)),
        ("_codecs.encode", ("x", "rot13")),
        ("torch.Size", ([-1],)),
        ("torch.device", (1,)),
        ("torch._utils._rebuild_tensor_v2", (FLOATS, 0, (2,), ())),
        ("torch._utils._rebuild_parameter", ([],)),
        ("torch._tensor._rebuild_from_type_v2", (Named("os.system"), None, ("true",), None)),
        ("torch.Size", ()),
    ],
)
def test_a_known_call_with_other_arguments_is_refused(path: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(NotPlainError, match=r"with other arguments than torch\.save does"):
        called(Named(path), arguments)


def test_an_unknown_call_is_named_and_not_made() -> None:
    assert called(Named("os.system"), ("true",)) == Foreign("os.system")
    with pytest.raises(NotPlainError, match="calls a str"):
        called("os.system", ())


@pytest.mark.parametrize("key", ["a", 1, 1.5, True, None, b"x", ("a", 1), Named("torch.float32")])
def test_plain_keys_are_keys(key: Any) -> None:
    assert key_of(key) == key


@pytest.mark.parametrize("key", [["a"], (("a",),), Foreign("a.B"), Named("os.system"), {}])
def test_other_keys_are_refused_unhashed(key: Any) -> None:
    with pytest.raises(NotPlainError, match="a key that is a "):
        key_of(key)


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
