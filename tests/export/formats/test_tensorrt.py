"""lit_export.formats.tensorrt: what can be told without a GPU."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from lit_export.formats import tensorrt
from lit_infer.errors import EngineError, MissingExtraError
from tests.export.formats.jobs import make_job


def test_without_tensorrt_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)

    with pytest.raises(MissingExtraError, match=r"lit-deploy\[export,tensorrt\]"):
        tensorrt.write(make_job(), tmp_path / "model.engine")


def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorRT, as far as the writer gets before it needs a device."""
    monkeypatch.setitem(sys.modules, "tensorrt", ModuleType("tensorrt"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_another_format_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch)

    with pytest.raises(EngineError, match=r"builds for the GPU it runs on, and there is none here\. Export to onnx"):
        tensorrt.write(make_job(), tmp_path / "model.engine")
    assert list(tmp_path.iterdir()) == []


class Profile:
    """A profile of TensorRT's, which writes down the ranges of its inputs."""

    def __init__(self) -> None:
        self.ranges: dict[str, tuple[Any, ...]] = {}

    def set_shape(self, name: str, *sizes: Any) -> None:
        self.ranges[name] = sizes


def test_the_batch_has_a_range_and_other_sides_what_the_example_has() -> None:
    builder = SimpleNamespace(create_optimization_profile=Profile)

    found = tensorrt._profile(builder, make_job())

    assert found.ranges == {"left": ((1, 4), (8, 4), (32, 4)), "right": ((1, 4), (8, 4), (32, 4))}
