"""lit_export.outline: a checkpoint's pickle read as data."""

import io
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lit_export import container, outline
from lit_export.plain_values import Foreign, NotPlainError, Storage, TensorOutline

texts = st.text(max_size=8)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | texts
    | st.binary(min_size=1, max_size=8)  # torch itself refuses empty bytes
)
plain = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(texts | st.integers(), inner, max_size=3)
    ),
    max_leaves=10,
)


def read(data: bytes, records: dict[str, int] | None = None) -> Any:
    return outline.read(io.BytesIO(data), records=records or {}, limit=1 << 20)


@given(value=plain)
def test_plain_data_is_read_as_pickle_reads_it(value: Any) -> None:
    assert read(pickle.dumps(value, protocol=2)) == value


@given(data=st.binary(max_size=60))
def test_any_bytes_are_a_value_or_an_error_of_a_few_kinds(data: bytes) -> None:
    try:
        read(b"\x80\x02" + data)
    except (NotPlainError, ValueError, LookupError, EOFError, TypeError, AttributeError, struct.error):
        return


def test_nothing_is_imported_or_called(tmp_path: Path) -> None:
    class Gadget:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "mark"),)

    found = read(pickle.dumps({"a": [Gadget()]}, protocol=2))

    assert not (tmp_path / "mark").exists()
    assert [(where, value.path) for where, value in outline.foreign(found)] == [("a.0", "posix.mkdir")]


def test_a_newer_protocol_is_not_torchs_own() -> None:
    with pytest.raises(NotPlainError, match=r"which torch\.save's own protocol"):
        read(pickle.dumps({"a": 1}, protocol=4))


def test_a_tensor_is_told_by_kind_shape_and_storage() -> None:
    buffer = io.BytesIO()
    weights = torch.zeros(3, 4)
    torch.save({"a": weights, "b": weights[1:], "c": torch.zeros(2, dtype=torch.int64)}, buffer)
    buffer.seek(0)

    found = container.read_outline(buffer, where="x.ckpt")

    shared = Storage("0", "Float", 12)
    assert found["a"] == TensorOutline("Float", (3, 4), shared)
    assert found["b"] == TensorOutline("Float", (2, 4), shared)
    assert found["c"] == TensorOutline("Long", (2,), Storage("1", "Long", 2))
    assert outline.storages(found) == {shared, Storage("1", "Long", 2)}


def test_every_value_is_visited_once_with_its_place() -> None:
    shared = [1]

    found = dict(outline.walk({"a": shared, "b": {"c": (2, shared)}}))

    assert {where: value for where, value in found.items() if isinstance(value, int)} in (
        {"a.0": 1, "b.c.0": 2},
        {"b.c.1.0": 1, "b.c.0": 2},
    )


def test_a_cycle_ends_and_a_chain_without_end_is_refused() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    chain: Any = 1
    for _ in range(200):
        chain = [chain]

    assert len(list(outline.walk(cycle))) == 1
    with pytest.raises(NotPlainError, match="nested more than 100 deep"):
        list(outline.walk(chain))


def test_a_dtype_is_a_value_and_a_class_is_not() -> None:
    found = read(pickle.dumps({"dtype": torch.float16, "cls": io.StringIO}, protocol=2))

    assert list(outline.foreign(found)) == [("cls", Foreign("_io.StringIO"))]
