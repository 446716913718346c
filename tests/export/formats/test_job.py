"""lit_export.formats.job: what every writer is given."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from lit_export.formats.job import Written
from tests.export.formats.jobs import make_job, rows


def test_a_job_names_inputs_and_outputs_in_the_module_s_own_order() -> None:
    job = make_job()

    assert job.input_names == ["left", "right"]
    assert job.output_names == ["mixed", "total"]
    assert job.target.dynamic == ({0: "batch"}, {0: "batch"})


def test_the_examples_are_the_target_s_as_tensors() -> None:
    examples = make_job().examples()

    assert [example.dtype for example in examples] == [torch.float32] * 2
    for example, array in zip(examples, rows(2), strict=True):
        np.testing.assert_array_equal(example.numpy(), array)


def test_what_was_written_is_a_record_and_stays_one() -> None:
    written = Written(Path("model.onnx"), exporter="torch.onnx")

    assert (written.opset, written.companions, written.quantization) == (None, (), None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        written.opset = 20  # type: ignore[misc]
