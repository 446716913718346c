"""lit_export.front.plain_arrays: numpy's values from the bytes that they are pickled with."""

import io
import pickle
from typing import Any

import numpy as np
import pytest

from lit_export.front import outline, plain_arrays
from lit_export.front.plain_values import Budget, Foreign, Instance

DTYPE = Instance("numpy.dtype", ("f8", False, True), (3, "<", None, None, None, -1, -1, 0))


def read(value: Any, protocol: int) -> Any:
    data = pickle.dumps(value, protocol=protocol)
    return outline.read(io.BytesIO(data), records={}, limit=len(data))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    "value",
    [
        np.float64(0.003),
        np.int16(-3),
        np.bool_(True),
        np.str_("é"),
        np.datetime64("2020-01-02", "D"),
        np.timedelta64(5, "25s"),
        np.arange(6, dtype=np.int32).reshape(2, 3),
        np.arange(6.0).reshape(2, 3).T,
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array([1.5, 2], dtype=">f4"),
        np.array(["a", "bc"]),
        np.zeros((0, 3)),
        np.array(7),
        np.array([1 + 2j]),
        np.zeros(2, dtype=[("a", "f4"), ("b", "i8")]),
        np.dtype("float32"),
        np.array([[1, "a"], [None, (2, 3)]], dtype=object),
    ],
    ids=repr,
)
def test_a_value_is_what_it_was(value: Any, protocol: int) -> None:
    found = read(value, protocol)

    assert type(found) is type(value)
    if not isinstance(value, np.dtype):
        assert found.dtype == value.dtype
        assert found.shape == value.shape
    assert np.array_equal(found, value)


def test_an_array_may_be_written_to() -> None:
    found = read(np.zeros(3), 2)
    found[0] = 1

    assert found.tolist() == [1, 0, 0]


def test_objects_in_an_array_become_placeholders() -> None:
    found = read(np.array([1, io.StringIO], dtype=object), 2)

    assert found.tolist() == [1, Foreign("_io.StringIO", "name")]


@pytest.mark.parametrize(
    "name", ["f8,(1000000,1000000)f8", "O\n", "object", "f99999999999999", "", 3, "S1000000000000"]
)
def test_a_dtype_of_another_name_is_none(name: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        plain_arrays.dtype(Instance("numpy.dtype", (name, False, True)))


@pytest.mark.parametrize(
    ("shape", "data"),
    [((10**12,), b""), ((2,), bytes(8)), ((-1,), bytes(8)), (3, bytes(24)), ((1,), "text"), ((1,) * 65, bytes(8))],
)
def test_an_array_of_another_size_than_its_bytes_is_none(shape: Any, data: Any) -> None:
    found = Instance(plain_arrays.ARRAY[0], state=(1, shape, DTYPE, False, data))

    with pytest.raises(ValueError, match="an array of"):
        plain_arrays.array(Budget(0), found)


def test_a_number_of_another_size_than_its_bytes_is_none() -> None:
    with pytest.raises(ValueError, match="no number"):
        plain_arrays.number(DTYPE, b"abc")
