"""lit_export.formats.own_names: inputs and outputs that are called as torch calls values inside."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lit_export import Options, export
from lit_infer import load


class Named(nn.Module):
    """Its input and its outputs have the names of operators that come before them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words, self.head = nn.Embedding(7, 4), nn.Linear(4, 3)

    def forward(self, linear: Tensor) -> dict[str, Tensor]:
        made = self.head(self.words(linear).relu())
        mean = made.mean(1)
        return {"embedding": mean.softmax(-1), "mean": mean.exp() + 1, "softmax": made.amax(1)}


def test_they_keep_their_names(tmp_path: Path) -> None:
    bundle = export(Named(), ["onnx"], out=tmp_path / "bundle", options=Options(inputs=("linear=5:int64:0..6",)))

    (graph,) = bundle.manifest.graphs
    assert graph.exporter.startswith("torch.onnx dynamo")
    assert [one.name for one in bundle.manifest.outputs] == ["embedding", "mean", "softmax"]
    ids = torch.arange(10).reshape(2, 5) % 7
    with load(tmp_path / "bundle") as model, torch.no_grad():
        found, wanted = model.run({"linear": ids.numpy()}), Named()(ids)
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value.numpy(), abs=1e-6)
