"""lit_export.formats.spelled_index: what is written to by an index with dots."""

from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from lit_export.formats.hushed import hushed
from lit_export.formats.spelled_index import SpelledIndex

COLUMNS = torch.tensor([0, 2])
INDICES: list[Any] = [
    (..., COLUMNS),
    (..., [0, 2]),
    (0, ..., COLUMNS),
    (slice(1, None), ..., 1),
    (..., 1),
    (...,),
    ...,
    (..., COLUMNS, slice(1, None)),
    (COLUMNS, ...),
    (..., None, 1),
    (torch.ones(3, dtype=torch.bool), ..., 1),
    (..., torch.ones(4, 3, dtype=torch.bool)),
    COLUMNS,
    (0, 1, 2),
]


@pytest.mark.parametrize("index", INDICES)
def test_any_index_writes_what_it_wrote(index: Any) -> None:
    plain, spelled = torch.zeros(3, 4, 3), torch.zeros(3, 4, 3)
    plain[index] = 1.0
    with SpelledIndex():
        spelled[index] = 1.0
    assert plain.any()
    torch.testing.assert_close(spelled, plain)


class Rolls(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        x = x.clone()
        x[..., COLUMNS] = torch.roll(x[..., COLUMNS], 1, 1)
        return x


def test_columns_written_by_an_index_with_dots_go_into_the_older_exporters_graph(tmp_path: Path) -> None:
    x, path = torch.randn(2, 4, 3), tmp_path / "model.onnx"
    with hushed(), SpelledIndex():
        torch.onnx.export(Rolls(), (x,), path, dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "batch"}})

    session = onnxruntime.InferenceSession(path)

    other = torch.randn(3, 4, 3)
    assert torch.equal(torch.from_numpy(session.run(None, {"x": other.numpy()})[0]), Rolls()(other))
