"""What a model is fed while it is measured."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer import bundle
from lit_infer.bench.inputs import Repeated, golden, noise, noise_of, own_inputs
from lit_infer.errors import UsageError
from lit_infer.manifest import Tensor
from tests.inference.tiny import described, make_bundle

OPEN = (Tensor(name="images", dtype="uint8", shape=("batch", "height", 8, 3)),)


@given(
    batch=st.integers(1, 9),
    sides=st.lists(st.integers(1, 5), max_size=3).map(tuple),
    dtype=st.sampled_from(["uint8", "float32", "int64"]),
)
def test_noise_has_the_shape_and_dtype_that_was_asked_for_and_is_always_the_same(
    batch: int, sides: tuple[int, ...], dtype: str
) -> None:
    make = noise_of({"x": (dtype, (None, *sides))})
    found = make(batch)["x"]

    assert (found.shape, found.dtype) == ((batch, *sides), np.dtype(dtype))
    assert np.array_equal(found, make(batch)["x"])


@given(count=st.integers(1, 6), batch=st.integers(1, 20))
def test_every_row_of_a_batch_is_one_of_the_caller_s_in_turn(count: int, batch: int) -> None:
    found = Repeated({"x": np.arange(count)[:, None]})(batch)["x"]

    assert found[:, 0].tolist() == [index % count for index in range(batch)]


def test_noise_is_what_most_modules_take() -> None:
    make = noise_of({"id": ("int64", (None, 9)), "x": ("float32", (None, 9)), "image": ("uint8", (None, 9))})
    found = make(50)

    assert set(np.unique(found["id"])) == {0, 1}
    assert 0 <= found["x"].min() <= found["x"].max() < 1
    assert found["image"].max() > 200


def test_noise_stays_within_the_range_that_is_proven() -> None:
    taken = (
        Tensor(name="token", dtype="int64", shape=("batch", 9), range=(3, 7)),
        Tensor(name="least", dtype="int64", shape=("batch", 9), range=(-2, None)),
        Tensor(name="most", dtype="int64", shape=("batch", 9), range=(None, 0)),
    )
    found = noise(described(task="tensor", preprocess=(), labels=None, inputs=taken))(50)

    assert {name: set(np.unique(array)) for name, array in found.items()} == {
        "token": {3, 4, 5, 6, 7},
        "least": {-2, -1},
        "most": {0},
    }


PROTOTYPES = described(
    task="tensor",
    preprocess=(),
    labels=None,
    inputs=(
        Tensor(name="query", dtype="float32", shape=("batch", 4)),
        Tensor(name="support", dtype="float32", shape=(7, 4)),
        Tensor(name="state", dtype="float32", shape=(1, "batch", 4)),
    ),
)


def test_an_input_without_a_batch_keeps_its_sides_and_one_elsewhere_is_found() -> None:
    shapes = {"query": (8, 4), "support": (7, 4), "state": (1, 8, 4)}
    stored = {"query": np.ones((3, 4)), "support": np.ones((7, 4)), "state": np.ones((1, 3, 4))}

    for make in (noise(PROTOTYPES), Repeated(stored).of(PROTOTYPES)):
        assert {name: array.shape for name, array in make(8).items()} == shapes


def test_noise_takes_the_sides_that_a_manifest_leaves_open_from_its_preprocessing() -> None:
    anywhere = (Tensor(name="images", dtype="uint8", shape=("batch", "height", "width", 3)),)

    assert noise(described(inputs=anywhere))(2)["images"].shape == (2, 8, 8, 3)


def test_noise_for_a_tensor_of_open_size_asks_for_arrays() -> None:
    with pytest.raises(UsageError, match=r"input images has dynamic sides .* --inputs batch\.npz"):
        noise(described(inputs=OPEN, task="tensor", preprocess=(), labels=None))


def test_own_arrays_are_read_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.arange(3), b=np.ones((2, 2)))

    found = own_inputs(tmp_path / "x.npz")(4)

    assert {name: len(array) for name, array in found.items()} == {"a": 4, "b": 4}


@pytest.mark.parametrize("arrays", [{}, {"x": np.float32(1)}, {"x": np.ones((0, 3))}, {"x": np.array([{}])}])
def test_arrays_without_rows_are_refused(arrays: dict[str, Any], tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **arrays)

    with pytest.raises(UsageError, match=r"x\.npz"):
        own_inputs(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("changes", "are_taken"),
    [
        ({"task": "tensor", "preprocess": (), "labels": None, "inputs": OPEN}, True),
        ({"task": "tensor", "preprocess": (), "labels": None}, True),
        ({}, False),
    ],
    ids=["open sides", "fixed sides", "images"],
)
def test_the_bundle_s_examples_are_taken_for_tensors_whose_meaning_nothing_else_says(
    changes: dict[str, Any], are_taken: bool, tmp_path: Path
) -> None:
    folder = make_bundle(tmp_path / "bundle", **changes)
    answers = np.ones((2, 3), dtype=np.float32)
    np.savez(folder / "golden.npz", images=np.ones((2, 8, 8, 3), dtype=np.uint8), probabilities=answers)
    (graph,) = bundle.find(str(folder))

    make = golden(graph)

    assert (make is not None) == are_taken
    assert make is None or make(3)["images"].shape == (3, 8, 8, 3)


def test_the_rows_of_own_arrays_repeat() -> None:
    make = Repeated({"x": np.array([[1], [2], [3]])})

    assert make(2)["x"].tolist() == [[1], [2]]
    assert make(5)["x"].tolist() == [[1], [2], [3], [1], [2]]


@pytest.mark.parametrize("content", [None, b"text", b"PK\x03\x04 cut off"])
def test_a_file_that_holds_no_arrays_is_refused(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "x.npz").write_bytes(content)

    with pytest.raises(UsageError, match=r"x\.npz"):
        own_inputs(tmp_path / "x.npz")
