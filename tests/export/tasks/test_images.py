"""What a user's image module is handed: in layout, dtype, device and gradient mode the batch that it was trained on."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lit_export import Options, export
from lit_export.tasks import Target, answers
from lit_infer import manifest
from lit_infer.manifest import DeploymentFacts, Normalize, Resize, Step, Task
from tests.support.targets import target_for

FORMATS: list[manifest.FormatName] = ["onnx", "pt2", "torchscript", "openvino"]
COLOUR = Normalize(mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
GREY = Normalize(mean=(0.5,), std=(0.25,))

SPEC = """\
task: {task}
preprocess: [{{resize: {{size: [8, 8]}}}}]
normalize: {{mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4]}}
"""


class Viewed(nn.Module):
    """The most usual ending of a small image model."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.out = nn.Conv2d(channels, 4, 3), nn.Linear(4 * 6 * 6, 3)

    def forward(self, images: Tensor) -> Tensor:
        hidden = torch.relu(self.conv(images))
        return torch.log_softmax(self.out(hidden.view(hidden.size(0), -1)), dim=1)


class ViewedAtOnce(nn.Module):
    """The view comes first, as in an MLP on colour images."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.out = nn.Linear(3 * 8 * 8, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.out(images.view(images.size(0), -1))


class ChannelsLast(nn.Module):
    """Trained in channels-last, on batches in that format: nothing else can be viewed so."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.out = nn.Conv2d(3, 4, 3), nn.Linear(3 * 8 * 8 + 4, 3)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> Tensor:
        rows = images.permute(0, 2, 3, 1).view(images.size(0), -1)
        return self.out(torch.cat([rows, self.conv(images).mean((2, 3))], 1))


class OnlyWeightsChannelsLast(ViewedAtOnce):
    """Weights in channels-last, and data loaders' contiguous batches."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) + self.conv(images).mean((2, 3))


class WithoutGradients(Viewed):
    """Answers otherwise where gradients are on, as they are in training only."""

    def forward(self, images: Tensor) -> Tensor:
        scores = super().forward(images)
        return scores if not (torch.is_grad_enabled() or images.requires_grad) else -scores


class Double(Viewed):
    """Weights in float64, which take batches in float64 only."""

    def __init__(self) -> None:
        super().__init__()
        self.double()


def facts(task: Task = "image-classification", normalize: Normalize | None = COLOUR) -> DeploymentFacts:
    return DeploymentFacts(task=task, preprocess=(Step(resize=Resize(size=(8, 8))),), normalize=normalize)


def target(module: nn.Module, described: DeploymentFacts, static_batch: int | None = None) -> Target:
    return target_for(module.eval(), described, static_batch=static_batch)


def seen(module: nn.Module, described: DeploymentFacts, static_batch: int | None = None) -> Tensor:
    """The batch that the module is given when the eager side answers."""
    kept: list[Tensor] = []
    found = target(module, described, static_batch)
    module.register_forward_pre_hook(lambda _, given: kept.append(given[0]))
    answers(found.module, found.example)
    return kept[0]


def failures(module: nn.Module, task: Task, folder: Path) -> dict[str, str | None]:
    """Export to every format; which failed, and why."""
    spec = folder / "spec.yaml"
    spec.write_text(SPEC.format(task=task))
    bundle = export(module, FORMATS, out=folder / "bundle", options=Options(spec=spec))
    assert [graph.format for graph in bundle.attempted] == FORMATS
    return {graph.format: graph.reason for graph in bundle.failed}


@pytest.mark.parametrize("task", ["image-classification", "image-embedding"])
@pytest.mark.parametrize(
    "make",
    [Viewed, ViewedAtOnce, ChannelsLast, OnlyWeightsChannelsLast, WithoutGradients, Double],
)
def test_what_was_trained_is_exported_in_every_format(
    make: Callable[[], nn.Module], task: Task, tmp_path: Path
) -> None:
    assert failures(make(), task, tmp_path) == {}


@pytest.mark.parametrize("batch", [None, 1])
@pytest.mark.parametrize("normalize", [None, COLOUR, GREY], ids=["plain", "colour", "grey"])
def test_a_batch_lies_in_memory_as_a_data_loaders_does(normalize: Normalize | None, batch: int | None) -> None:
    module = Viewed(channels=1 if normalize is GREY else 3)
    given = seen(module, facts(normalize=normalize), batch)
    assert given.is_contiguous()
    assert given.stride() == torch.empty(given.shape).stride(), "grey images are contiguous in other strides too"


def test_channels_last_is_for_a_module_that_takes_nothing_else() -> None:
    assert seen(ChannelsLast(), facts()).is_contiguous(memory_format=torch.channels_last)
    assert seen(OnlyWeightsChannelsLast(), facts()).is_contiguous()


def test_a_batch_is_plain_data_on_the_cpu() -> None:
    given = seen(Viewed(), facts())
    assert (given.dtype, given.device.type) == (torch.float32, "cpu")
    assert not given.requires_grad
    assert not given.is_inference(), "gradients inside the module would be refused"


def test_a_module_may_ask_for_gradients_of_its_own() -> None:
    class Slope(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            with torch.enable_grad():
                asked = images.requires_grad_()
                total = (asked**2).sum()
            return torch.autograd.grad(total, asked, create_graph=True)[0].mean((2, 3))

    found = target(Slope(), facts("image-embedding", normalize=None))
    expected = found.example[0].astype(np.float32).mean((1, 2)) * (2 / 255)
    np.testing.assert_allclose(answers(found.module, found.example)[0], expected, rtol=1e-5)


def test_float64_is_given_and_answered_as_what_it_is_in_training() -> None:
    module = Double()
    found = target(module, facts())
    assert seen(module, facts()).dtype == torch.float64
    assert answers(found.module, found.example)[0].dtype == np.float32


@pytest.fixture
def default_float64() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.usefixtures("default_float64")
@pytest.mark.parametrize("module_dtype", [torch.float32, torch.float64])
def test_another_default_dtype_changes_nothing(module_dtype: torch.dtype, tmp_path: Path) -> None:
    """The user's file may set it when it is imported: the weights decide what the module is given."""
    module = Viewed().to(module_dtype)
    assert seen(module, facts()).dtype == module_dtype
    assert failures(module, "image-classification", tmp_path) == {}
