"""lit_export.front.outline: a checkpoint's pickle read as data."""

import argparse
import datetime
import decimal
import enum
import functools
import io
import os
import pathlib
import pickle
import struct
import tracemalloc
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lit_export.front import container, outline
from lit_export.front.plain_values import EnumMember, Foreign, NotPlainError, Storage, TensorOutline, TorchValue

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
    return outline.read(io.BytesIO(data), records=records or {}, limit=len(data))


class Stage(enum.Enum):
    TRAIN = "train"


@dataclass(frozen=True)
class Record:
    """A user's own; its fields make it a key."""

    field: Any

    def __hash__(self) -> int:
        return 1


class Listed(list[Any]):
    """A list of a class of its own."""


@given(value=plain)
def test_plain_data_is_read_as_pickle_reads_it(value: Any) -> None:
    for protocol in (2, 3, 4, 5):
        assert read(pickle.dumps(value, protocol=protocol)) == value


@pytest.mark.parametrize("protocol", range(6))
def test_what_is_data_is_what_it_was_in_every_protocol(protocol: int) -> None:
    value = {
        "numbers": [1, -1, 2**40, 2**80, 1.5, True, None, 1j],
        "texts": ["", "é", "x" * 300, b"", b"\xff" * 300, bytearray(b"ab")],
        "sets": [{1, 2}, frozenset("a")],
        "dicts": [OrderedDict(a=1), defaultdict(list, a=[1]), Counter("aab"), {(1, "a"): {}}],
        "others": [deque([1], 3), range(3), datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC)],
        "names": [argparse.Namespace(depth=2), uuid.UUID(int=5), decimal.Decimal("1.5"), pathlib.PurePosixPath("/a/b")],
    }

    assert read(pickle.dumps(value, protocol=protocol)) == {
        **value,
        "names": [{"depth": 2}, *value["names"][1:]],
    }


@pytest.mark.parametrize("protocol", range(6))
def test_objects_are_named_and_members_of_enums_too(protocol: int) -> None:
    value = [Stage.TRAIN, Record(1), Record, functools.partial(Record, 1), Listed([1]), torch.nn.ReLU()]

    found = read(pickle.dumps(value, protocol=protocol))

    assert found == [
        EnumMember(f"{__name__}.Stage", "train"),
        Foreign(f"{__name__}.Record"),
        Foreign(f"{__name__}.Record", "name"),
        Foreign(f"{__name__}.Record", "partial"),
        Foreign(f"{__name__}.Listed"),
        Foreign("torch.nn.modules.activation.ReLU", "module"),
    ]


def test_shared_and_circular_values_stay_so() -> None:
    shared: list[Any] = [1]
    shared.append(shared)

    found = read(pickle.dumps({"a": shared, "b": (shared, Record(shared))}, protocol=4))

    assert found["a"] is found["b"][0]
    assert found["a"][1] is found["a"]


def test_two_objects_as_keys_stay_two() -> None:
    found = read(pickle.dumps({Record(1): "a", Record(2): "b", Record(3): "c"}, protocol=4))

    assert sorted(found.values()) == ["a", "b", "c"]


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


def test_a_tensor_is_told_by_kind_shape_and_storage() -> None:
    buffer = io.BytesIO()
    weights = torch.zeros(3, 4)
    torch.save({"a": weights, "b": weights[1:], "c": torch.zeros(2, dtype=torch.int64)}, buffer)
    buffer.seek(0)

    found = container.read(buffer, where="x.ckpt").contents

    shared = Storage("0", "Float", 12)
    assert found["a"] == TensorOutline("Float", (3, 4), shared, (4, 1), 0)
    assert found["b"] == TensorOutline("Float", (2, 4), shared, (4, 1), 4)
    assert found["c"] == TensorOutline("Long", (2,), Storage("1", "Long", 2), (1,), 0)
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

    assert found["dtype"] == TorchValue("constant", "torch.float16")
    assert list(outline.foreign(found)) == [("cls", Foreign("_io.StringIO", "name"))]


def test_the_module_versions_of_a_state_dict_are_kept() -> None:
    found = read(pickle.dumps(torch.nn.BatchNorm1d(2).state_dict()._metadata, protocol=2))
    state = OrderedDict(a=1)
    state._metadata = found  # type: ignore[attr-defined]

    assert read(pickle.dumps(state, protocol=2))._metadata == {"": {"version": 2}}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"Pos.system\n.", "PERSID"),
        (b"\x97.", "NEXT_BUFFER"),
        (b"K\x01K\x02a.", "appends to a int"),
        (b"K\x01K\x02K\x03s.", "sets a key of a int"),
        (b"K\x01(K\x02\x90.", "adds to a int"),
        (b"(X\x07\x00\x00\x00storageNNNNtQ.", "a storage of unknown kind"),
        (b"K\x01Q.", "something other than a storage"),
    ],
)
def test_what_torch_save_cannot_write_is_refused_by_name(data: bytes, says: str) -> None:
    with pytest.raises(NotPlainError, match=says):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        b"(" + b"]" * 1_000_000 + b"l.",
        b"\x80\x04]" + b"\x94" * 1_000_000 + b".",
        b"\x80\x02ccollections\nOrderedDict\nq\x00]("
        + b"]K\x01aK\x01a" * 20_000
        + b"eq\x01"
        + b"h\x00h\x01\x85R0" * 20_000
        + b".",
        b"\x80\x02cargparse\nNamespace\nq\x00}("
        + b"".join(b"X\x05\x00\x00\x00%05dN" % i for i in range(50_000))
        + b"uq\x01"
        + b"h\x00)\x81h\x01b0" * 20_000
        + b".",
    ],
    ids=["lists", "memo", "copies", "states"],
)
def test_what_is_small_on_the_disk_stays_small_in_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(NotPlainError, match=r"very much memory|empty values"):
            read(data)
        assert tracemalloc.get_traced_memory()[1] < 400 << 20
    finally:
        tracemalloc.stop()
