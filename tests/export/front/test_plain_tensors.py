"""lit_export.front.plain_tensors: a tensor is told by its storage, and lies within it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_export.front import plain_tensors
from lit_export.front.plain_values import Named, NotPlainError, Storage, TensorOutline, TorchValue

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

    def build() -> TensorOutline:
        return plain_tensors.strided(FLOATS, offset, shape, stride, False, None)

    if max(reach, default=0) < FLOATS.count:
        assert build() == TensorOutline("Float", shape, FLOATS, stride, offset)
    else:
        with pytest.raises(NotPlainError, match="in a storage of 12"):
            build()


def test_a_size_beyond_all_numbers_is_refused() -> None:
    with pytest.raises(NotPlainError, match="more values than there are"):
        plain_tensors.strided(FLOATS, 0, (1 << 40, 1 << 40), (0, 0))


def test_a_typed_tensor_is_counted_in_bytes() -> None:
    stored = Storage("1", "Untyped", 8)

    found = plain_tensors.typed(stored, 0, (4,), (1,), False, None, Named("torch.uint16"))

    assert (found.kind, found.shape, found.storage) == ("uint16", (4,), stored)
    with pytest.raises(NotPlainError, match="in a storage of 8"):
        plain_tensors.typed(stored, 0, (9,), (1,), False, None, Named("torch.uint16"))


def test_a_parameter_is_its_tensor() -> None:
    assert plain_tensors.parameter(SCALAR, True, {}) is SCALAR


def test_a_sparse_tensor_keeps_its_parts() -> None:
    indices = TensorOutline("Long", (2, 1), Storage("1", "Long", 2))
    layout, size = TorchValue("layout", "torch.sparse_coo"), TorchValue("size", (3, 3))

    found = plain_tensors.sparse(layout, (indices, SCALAR, size, True))

    assert (found.kind, found.shape, found.form) == ("Float", (3, 3), "sparse")
    assert found.parts == ("torch.sparse_coo", True, indices, SCALAR)


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        (plain_tensors.strided, (FLOATS, 0, (2,), ())),
        (plain_tensors.strided, ("0", 0, (2,), (1,))),
        (plain_tensors.strided, (FLOATS, -1, (2,), (1,))),
        (plain_tensors.strided, (FLOATS, 0, (1,) * 65, (1,) * 65)),
        (plain_tensors.typed, (FLOATS, 0, (2,), (1,))),
        (plain_tensors.quantized, (FLOATS, 0, (2,), (1,), ())),
        (plain_tensors.quantized, (FLOATS, 0, (2,), (1,), ("affine", 1.0, 0))),
        (plain_tensors.parameter, ([],)),
        (plain_tensors.sparse, (TorchValue("layout", "torch.sparse_coo"), (SCALAR,))),
        (plain_tensors.meta, ("float32", (2,))),
        (plain_tensors.of_array, ([1], Named("torch.float32"))),
        (plain_tensors.size, ([-1],)),
    ],
)
def test_other_arguments_than_torchs_are_a_type_error(call: Any, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        call(*arguments)
