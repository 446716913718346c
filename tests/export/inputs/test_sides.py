"""lit_export.inputs.sides: sides of any length."""

import numpy as np
import pytest

from lit_export.inputs.sides import that_work, wished
from lit_infer.errors import UsageError

ARRAYS = (np.zeros((2, 7)), np.zeros((2, 7, 3)), np.zeros((2, 5)))
NAMES = ("tokens", "mask", "other")


def test_a_side_is_that_axis_of_all_inputs_that_have_one_of_its_length() -> None:
    assert wished("length=1", NAMES, ARRAYS) == ("length", [(0, 1), (1, 1)])
    assert wished("length=other.1", NAMES, ARRAYS) == ("length", [(2, 1)])
    assert wished("height", ("x",), (np.zeros((1, 3, 8, 9)),)) == ("height", [(0, 2)])


@pytest.mark.parametrize("wish", ["length", "length=x", "length=5", "length=none.1", "1=1"])
def test_a_wish_that_makes_no_sense_is_explained(wish: str) -> None:
    with pytest.raises(UsageError, match=f"--dynamic {wish}: "):
        wished(wish, NAMES, ARRAYS)


def test_lengths_that_the_module_takes_are_tried_and_those_of_the_data() -> None:
    tried = that_work(
        lambda sizes: sizes["length"] % 4 == 0,
        [{"batch": 2, "length": 8}, {"batch": 5, "length": 12}],
        batch="batch",
    )

    assert tried == [{"batch": 2, "length": length} for length in (8, 12, 16)]


def test_one_length_alone_is_no_dynamic_side() -> None:
    assert that_work(lambda _: False, [{"batch": 2}], batch="batch") == [{"batch": 2}]
    with pytest.raises(UsageError, match="--dynamic length: the module itself refuses all sizes"):
        that_work(lambda _: False, [{"batch": 2, "length": 8}], batch="batch")
