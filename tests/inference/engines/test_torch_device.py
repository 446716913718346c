"""The device that torch's engines obtain, and how a module is run there. With real torch, and no GPU needed."""

import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from lit_infer.engines.torch_device import obtain, runner
from lit_infer.errors import EngineError


def with_gpus(count: int) -> Any:
    """What `obtain` asks of torch, on a machine with so many GPUs."""
    cuda = SimpleNamespace(is_available=lambda: count > 0, device_count=lambda: count)
    return SimpleNamespace(cuda=cuda, device=torch.device)


@pytest.mark.parametrize(
    ("device", "count", "obtained"),
    [
        ("cpu", 2, "cpu"),
        ("auto", 0, "cpu"),
        ("auto", 1, "cuda:0"),
        ("cuda", 1, "cuda:0"),
        ("cuda:1", 2, "cuda:1"),
    ],
)
def test_the_device_is_the_one_asked_for(device: str, count: int, obtained: str) -> None:
    assert obtain(with_gpus(count), device) == torch.device(obtained)


@pytest.mark.parametrize(("device", "count", "found"), [("cuda", 0, "no CUDA device"), ("cuda:2", 2, "2 CUDA devices")])
def test_a_gpu_that_is_not_there_is_an_error_that_counts_them(device: str, count: int, found: str) -> None:
    with pytest.raises(EngineError, match=f"asked for {device}, torch finds {found}. Use --device cpu"):
        obtain(with_gpus(count), device)


@given(array=arrays.arrays(st.sampled_from([np.uint8, np.float32, np.int64]), arrays.array_shapes(max_dims=3)))
@settings(max_examples=50)
def test_arrays_go_in_and_come_out_as_they_are(array: NDArray[Any]) -> None:
    run = runner(torch, torch.nn.Identity(), torch.device("cpu"))

    (found,) = run([array])

    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_several_inputs_and_outputs_keep_their_order() -> None:
    run = runner(torch, lambda a, b: [b, a], torch.device("cpu"))

    first, second = run([np.zeros(1), np.ones(2)])

    assert (first.tolist(), second.tolist()) == ([1, 1], [0])


def test_read_only_and_strided_arrays_are_run_without_a_warning() -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2]
    array.flags.writeable = False

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (found,) = runner(torch, lambda tensor: tensor + 1, torch.device("cpu"))([array])

    np.testing.assert_array_equal(found, array + 1)


def test_nothing_is_recorded_for_a_backward_pass() -> None:
    module = torch.nn.Linear(2, 1)
    seen: list[torch.Tensor] = []

    runner(torch, lambda tensor: seen.append(module(tensor)) or seen[0], torch.device("cpu"))([np.ones((1, 2), "f4")])

    assert not seen[0].requires_grad
    assert seen[0].is_inference()
