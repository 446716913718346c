"""lit_export.tasks.tensor: any module as a bare tensor graph, its inputs, outputs and dynamic sides."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lit_export import Options, export
from lit_export.tasks.tensor import tensor_target
from lit_infer import load
from lit_infer.errors import UsageError
from lit_infer.manifest import DeploymentFacts

FACTS = DeploymentFacts(task="tensor")


class Tagger(nn.Module):
    """Several inputs of several kinds, a sequence, a dict of outputs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.head = nn.Embedding(50, 8), nn.Linear(8, 3)
        self.example_input_array = {
            "tokens": torch.randint(0, 50, (1, 7)),
            "mask": torch.arange(7)[None] < 5,
            "scale": torch.zeros(1, 2),
        }

    def forward(self, tokens: Tensor, mask: Tensor, scale: Tensor) -> dict[str, Tensor]:
        hidden = self.embed(tokens) * mask[..., None] * scale.sum(-1)[:, None, None]
        return {"logits": self.head(hidden), "pooled": hidden.mean(1)}


class Pair(NamedTuple):
    total: Tensor
    largest: Tensor


class Products(nn.Module):
    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Pair]:
        return a @ b.transpose(1, 2), Pair(a.sum((1, 2)), a.amax(1))


class NeedsMultiples(nn.Module):
    """As networks that halve and double: sides must be multiples of four."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.interpolate(nn.functional.avg_pool2d(x, 4), scale_factor=4.0) + x


def target(module: nn.Module, *inputs: str, dynamic: tuple[str, ...] = (), batch: int | None = None) -> object:
    return tensor_target(module.eval(), FACTS, Options(inputs=inputs, static_batch=batch, dynamic=dynamic))


def shapes(found: object) -> dict[str, tuple[object, ...]]:
    return {tensor.name: tensor.shape for tensor in (*found.inputs, *found.outputs)}  # type: ignore[attr-defined]


def test_a_graph_for_one_batch_is_tried_at_several_scales_and_sizes() -> None:
    found = target(NeedsMultiples(), "3x8x8", batch=1, dynamic=("height", "width"))
    generator = np.random.default_rng(0)
    tried = [found.noise(generator, 1)[0] for _ in range(4)]  # type: ignore[attr-defined]
    assert len({one.shape for one in tried}) > 1
    assert max(one.std() for one in tried) > 5 * min(one.std() for one in tried)


def test_a_module_without_a_batch_is_given_its_inputs_as_they_are() -> None:
    class Graph(nn.Module):
        """Nodes, and edges between them."""

        def forward(self, x: Tensor, edges: Tensor) -> Tensor:
            return torch.zeros_like(x).index_add(0, edges[1], x[edges[0]])

    options = Options(inputs=("x=6x5", "edges=2x7:int64:0..5"), batch_axis=("none",))
    assert shapes(tensor_target(Graph(), FACTS, options)) == {"x": (6, 5), "edges": (2, 7), "output": (6, 5)}


def test_an_output_side_that_follows_two_of_the_inputs_has_a_name_of_its_own() -> None:
    class Grid(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(2).transpose(1, 2)

    assert shapes(target(Grid(), "3x8x8", dynamic=("height", "width")))["output"] == ("batch", "output_1", 3)


def test_a_batch_of_one_that_is_squeezed_away_has_a_cure() -> None:
    class Squeezed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.sum(1, keepdim=True).squeeze()

    with pytest.raises(UsageError, match=r"output has the shape \[2\] for one batch and \[\] .* squeeze\(-1\)"):
        target(Squeezed(), "4")
    assert shapes(target(Squeezed(), "4", batch=1))["output"] == ()


def test_names_kinds_and_dynamic_sides_come_from_the_module() -> None:
    found = target(Tagger(), dynamic=("length=1",))
    assert shapes(found) == {
        "tokens": ("batch", "length"),
        "mask": ("batch", "length"),
        "scale": ("batch", 2),
        "logits": ("batch", "length", 3),
        "pooled": ("batch", 8),
    }
    assert [tensor.dtype for tensor in found.inputs] == ["int64", "bool", "float32"]  # type: ignore[attr-defined]


def test_nested_outputs_are_flattened_and_keep_their_names() -> None:
    found = target(Products(), "4x3", "5x3")
    assert shapes(found) == {
        "a": ("batch", 4, 3),
        "b": ("batch", 5, 3),
        "output_0": ("batch", 4, 5),
        "output_1_total": ("batch",),
        "output_1_largest": ("batch", 3),
    }


def test_a_side_that_the_module_changes_has_a_name_of_its_own() -> None:
    class Stride(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x[:, ::3]

    assert shapes(target(Stride(), "9", dynamic=("length=1",)))["output"] == ("batch", "output_1")


def test_integers_stay_in_the_range_of_the_example() -> None:
    found = target(Tagger())
    tokens = np.concatenate([found.noise(np.random.default_rng(seed), 8)[0].ravel() for seed in range(5)])  # type: ignore[attr-defined]
    example = Tagger().example_input_array["tokens"]
    assert tokens.min() >= example.min()
    assert tokens.max() <= example.max()


def test_other_sizes_are_tried_where_the_module_takes_them() -> None:
    found = target(NeedsMultiples(), "3x8x8", dynamic=("height", "width"))
    sizes = {found.noise(np.random.default_rng(0), batch)[0].shape[2:] for batch in range(1, 9)}  # type: ignore[attr-defined]
    assert sizes == {(8, 8), (16, 16)}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: target(nn.ReLU()), "what ReLU.forward takes is not known"),
        (lambda: target(nn.ReLU(), "3xx4"), r"--input '3xx4': expected \[name=\]3x224x224"),
        (lambda: target(nn.ReLU(), "3:complex64"), "the dtype complex64 is not known"),
        (
            lambda: target(nn.ReLU(), "3", dynamic=("length=5",)),
            r"no input has such an axis.* input \[2, 3\]",
        ),
        (lambda: target(nn.ReLU(), "3", dynamic=("length",)), "expected height, width, NAME=AXIS"),
        (lambda: target(nn.Flatten(), "4x4", dynamic=("side=0.5",)), "no input has such an axis"),
        (lambda: target(nn.Linear(3, 2), "3", dynamic=("width=1",)), "the module itself refuses all sizes"),
    ],
)
def test_what_makes_no_sense_is_explained(call: Callable[[], object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call()


def test_a_module_that_takes_the_length_of_a_tensor_is_exported_for_any_batch(tmp_path: Path) -> None:
    class Viewed(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(torch.relu(x).view(len(x), -1))

    bundle = export(Viewed(6, 2).eval(), out=tmp_path / "b", options=Options(inputs=("3x2",)))

    assert not bundle.failed, bundle.failed


@pytest.mark.parametrize("format_", ["onnx", "pt2", "torchscript", "openvino"])
def test_every_format_keeps_names_kinds_and_dynamic_sides(tmp_path: Path, format_: str) -> None:
    module = Tagger().eval()
    bundle = export(module, [format_], out=tmp_path / "b", options=Options(dynamic=("length=1",)))  # type: ignore[list-item]
    assert not bundle.failed, bundle.failed
    tokens = np.arange(33, dtype=np.int64).reshape(3, 11)
    mask, scale = tokens % 2 == 0, np.full((3, 2), 0.5, dtype=np.float32)
    found = load(tmp_path / "b").run({"scale": scale, "tokens": tokens, "mask": mask})
    with torch.no_grad():
        truth = module(*map(torch.from_numpy, (tokens, mask, scale)))
    assert found.keys() == truth.keys()
    for name, tensor in truth.items():
        np.testing.assert_allclose(found[name], tensor.numpy(), atol=1e-5)
