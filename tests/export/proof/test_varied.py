"""lit_export.proof.varied: what was never varied is not proven."""

from dataclasses import replace

import numpy as np
import pytest

from lit_export.proof import varied
from lit_infer import manifest
from lit_infer.errors import UsageError
from tests.export.formats.jobs import make_job, rows


def test_inputs_that_vary_pass() -> None:
    target = make_job().target

    varied.check_inputs(target, [rows(2), rows(3)])
    varied.check_outputs(target, [rows(2), rows(3)])


@pytest.mark.parametrize(
    ("dtype", "value", "cure"),
    [
        ("int64", 0, "--input left=3:int64:0..N, where N is its largest value"),
        ("int64", 1, "--input left=3:int64:0..1"),
        ("bool", 1, "--input left=3:bool:0..1"),
        ("float32", 1, "--input left=3:float32:0..1"),
        ("float32", 7, "--input left=3:float32:0..N"),
    ],
)
def test_an_input_of_one_value_is_refused_with_the_range_to_give(dtype: str, value: int, cure: str) -> None:
    target = make_job().target
    left = manifest.convert({"name": "left", "dtype": dtype, "shape": ("batch", 3)}, manifest.Tensor, where="test")
    target = replace(target, inputs=(left, target.inputs[1]))
    batches = [(np.full((size, 3), value, dtype=dtype), rows(size)[1]) for size in (1, 2)]

    with pytest.raises(UsageError, match=r"the input left would be .* in all that is compared") as caught:
        varied.check_inputs(target, batches)
    assert cure in str(caught.value)
    varied.check_inputs(replace(target, constant=("left",)), batches)


def test_a_length_that_changes_in_what_is_compared_has_a_name() -> None:
    target = make_job().target
    answers = [(rows(size)[0][:, :columns], rows(size)[1]) for size, columns in ((1, 3), (2, 2))]

    found = varied.with_sides_seen(target, answers)

    assert [tensor.shape for tensor in found.outputs] == [("batch", "mixed_1"), ("batch", 4)]
    assert varied.with_sides_seen(target, answers[:1]).outputs == target.outputs


def test_an_output_that_is_always_empty_is_refused() -> None:
    target = make_job().target
    empty = [(np.zeros((0, 3)), rows(2)[1])]

    with pytest.raises(UsageError, match=r"the output mixed was empty for every input.* for which it is not: line 3"):
        varied.check_outputs(target, empty, unexercised=": line 3")
    varied.check_outputs(target, [*empty, rows(3)])
