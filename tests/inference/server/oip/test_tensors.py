"""Tensors of a request become arrays that fit the model, or an error that names them."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.errors import UsageError
from lit_infer.manifest import Tensor
from lit_infer.server.oip.tensors import MOST_IMAGES, InputTensor, array_of, images, join_bytes, split_bytes
from tests.support.server.tensor_models import two_d


def sent(data: Any = None, *, shape: list[int], datatype: str = "INT64") -> InputTensor:
    raw = msgspec.Raw(b"" if data is None else msgspec.json.encode(data))
    return InputTensor("x", datatype, shape, {}, raw)


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_elements_are_split_as_they_were_joined(elements: list[bytes]) -> None:
    assert split_bytes(memoryview(join_bytes(elements)), "x", most=len(elements)) == elements


@pytest.mark.parametrize(
    ("blob", "said"),
    [
        (b"\1\0\0\0ab", "1 bytes follow its 1 elements"),
        (b"\1\0", "2 bytes where an element's length should be"),
        (b"\x09\0\0\0ab", "an element has 9 bytes, but only 2 are left"),
    ],
)
def test_elements_that_do_not_add_up_are_refused(blob: bytes, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        split_bytes(memoryview(blob), "x", most=1)


def test_data_may_be_flat_or_nested() -> None:
    for data in ([1, 2, 3], [[1, 2, 3]]):
        array = array_of(sent(data, shape=[1, 3]), None, two_d("int64"), {})
        assert (array.dtype, array.tolist()) == (np.int64, [[1, 2, 3]])


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (sent([1, 2, 3], shape=[1, 3], datatype="FP32"), "input x must be INT64, not FP32"),
        (sent([1, 2], shape=[1, 2]), r"input x must be \['batch', 3\] \(here \[1, 3\]\), not \[1, 2\]"),
        (sent([1, 2, 3], shape=[0, 3]), "input x must be"),
        (sent([1, 2], shape=[1, 3]), "input x: shape"),
        (sent([[1, 2], [3]], shape=[1, 3]), "input x: "),
        (sent([[[1, 2, 3]]], shape=[1, 3]), "must be one flat list, or lists nested 2 deep"),
        (sent([1, 2, 2**70], shape=[1, 3]), "input x: "),
        (sent([1, 2, "3"], shape=[1, 3]), "input x: Expected `int`"),
    ],
)
def test_what_does_not_fit_the_model_is_refused_by_name(tensor: InputTensor, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        array_of(tensor, None, two_d("int64"), {})


def test_a_named_dimension_has_one_length_in_all_inputs() -> None:
    sides: dict[str, int] = {}
    square = Tensor(name="x", dtype="int64", shape=("n", "n"))

    assert array_of(sent([1, 2, 3, 4], shape=[2, 2]), None, square, sides).shape == (2, 2)
    assert sides == {"n": 2}
    with pytest.raises(UsageError, match=r"\(here \[2, 2\]\), not \[3, 3\]"):
        array_of(sent([0] * 9, shape=[3, 3]), None, square, sides)


def test_binary_data_has_exactly_the_bytes_of_its_shape() -> None:
    tensor, expected = sent(shape=[1, 3], datatype="BOOL"), two_d("bool")

    assert array_of(tensor, memoryview(b"\0\1\1"), expected, {}).tolist() == [[False, True, True]]
    with pytest.raises(UsageError, match="is 3 bytes, not 2"):
        array_of(tensor, memoryview(b"\0\1"), expected, {})
    with pytest.raises(UsageError, match="each BOOL must be a byte of 0 or 1"):
        array_of(tensor, memoryview(b"\0\1\2"), expected, {})


def test_images_are_base64_in_json_and_plain_in_binary() -> None:
    assert images(sent(["YWI=", "Yw=="], shape=[2], datatype="BYTES"), None) == (b"ab", b"c")
    assert images(sent([["YWI="]], shape=[1, 1], datatype="BYTES"), None) == (b"ab",)
    assert images(sent(shape=[1], datatype="BYTES"), memoryview(join_bytes([b"ab"]))) == (b"ab",)


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (sent(["a"], shape=[1]), "is not base64"),
        (sent(["YWI="], shape=[2]), "but 1 elements"),
        (sent([], shape=[0]), "at least one element"),
        (sent(["YWI="], shape=[1, 2]), "must be BYTES"),
        (sent([], shape=[MOST_IMAGES + 1]), "at most 4,096 images"),
    ],
)
def test_images_that_cannot_be_read_are_refused(tensor: InputTensor, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        images(tensor, None)
