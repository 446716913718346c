"""lit_export.inputs.recorded_inputs: what training recorded takes the place of `--input`."""

import pytest
import torch
from torch import nn

from lit_export.inputs.recorded_inputs import with_recorded
from lit_export.options import Options
from lit_infer.errors import UsageError
from lit_infer.manifest import BatchTensor, CheckpointRecord, DeploymentFacts

FLOATS = BatchTensor(name="x", dtype="float32", shape=(8, 3, 4))
IDS = BatchTensor(name="ids", dtype="int64", shape=(8, 16))


def record(*inputs: BatchTensor) -> CheckpointRecord:
    return CheckpointRecord(deployment=DeploymentFacts(task="tensor"), inputs=inputs)


def test_recorded_floats_are_what_the_module_takes() -> None:
    assert with_recorded(Options(), nn.ReLU(), record(FLOATS)).inputs == ("x=3x4:float32",)


def test_recorded_integers_have_the_range_that_training_saw() -> None:
    ids = BatchTensor(name="ids", dtype="int64", shape=(8, 16), range=(3, 99))

    assert with_recorded(Options(), nn.ReLU(), record(ids)).inputs == ("ids=16:int64:3..99",)


def test_integers_without_a_range_are_a_line_to_complete() -> None:
    with pytest.raises(UsageError, match=r"\n--input x=3x4:float32 --input ids=16:int64:0\.\.N$"):
        with_recorded(Options(), nn.ReLU(), record(FLOATS, IDS))


def test_what_is_said_otherwise_comes_first() -> None:
    example = nn.ReLU()
    example.example_input_array = torch.zeros(2, 3)
    plain = Options()

    assert with_recorded(plain, example, record(IDS)) is plain
    assert with_recorded(plain, nn.ReLU(), None) is plain
    typed = Options(inputs=("4",))
    assert with_recorded(typed, nn.ReLU(), record(IDS)) is typed
