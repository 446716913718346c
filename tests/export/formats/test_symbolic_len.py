"""lit_export.formats.symbolic_len: modules that ask `len` of a tensor take any batch in every format."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lit_export import Options, export
from lit_export.formats.symbolic_len import symbolic_len


class AsksLen(nn.Module):
    """`view(len(x), -1)`, and a tensor made for each row."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.view(len(x), -1)) + torch.ones(len(x), 3)


@pytest.mark.parametrize("name", ["onnx", "pt2", "torchscript"])
def test_a_module_that_asks_len_of_a_batch_takes_any(tmp_path: Path, name: str) -> None:
    options = Options(inputs=("3x2x2",), publish=False)

    bundle = export(AsksLen(), [name], out=tmp_path / "bundle", options=options)

    assert not bundle.failed, bundle.failed
    assert bundle.manifest.graphs[0].parity is not None
    assert bundle.manifest.graphs[0].parity.batches == (1, 2, 3, 8)


def test_other_lengths_stay_numbers_and_afterwards_all_do() -> None:
    with symbolic_len():
        found = [len([1, 2]), len("abc"), len(torch.zeros(4, 2))]
        with pytest.raises(TypeError, match="0-d tensor"):
            len(torch.tensor(1.0))

    assert found == [2, 3, 4]
    assert len(torch.zeros(5)) == 5
