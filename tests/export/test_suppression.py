"""lit_export.suppression: of boxes that say the same the best one stays, also in ONNX."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.ops import nms

from lit_export.suppression import kept, refuse, translations
from lit_infer.errors import GateError


def groups(count: int = 3, boxes: int = 40) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(count, boxes, 2, generator=generator) * 30
    return torch.cat([corners, corners + 10], dim=-1), torch.rand(count, boxes, generator=generator)


def test_each_group_keeps_what_torchvision_keeps_of_what_scores_enough() -> None:
    boxes, scores = groups()

    found = kept(boxes, scores, 0.4, 0.2)

    for corners, values, stays in zip(boxes, scores, found, strict=True):
        fit = torch.where(values > 0.2, values, torch.tensor(-1.0))
        expected = [index for index in nms(corners, fit, 0.4).tolist() if values[index] > 0.2]
        assert torch.nonzero(stays)[:, 0].tolist() == sorted(expected)
        assert 1 < len(expected) < 30


class Suppressed(nn.Module):
    def forward(self, boxes: Tensor, scores: Tensor) -> Tensor:
        return kept(boxes, scores, 0.4, 0.2)


@pytest.mark.slow
def test_onnx_keeps_the_same_of_any_number_of_groups(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    axes = ({0: "groups"}, {0: "groups"})
    table: Any = dict(translations())
    program = torch.onnx.export(
        Suppressed().eval(),
        groups(),
        dynamo=True,
        dynamic_shapes=axes,
        opset_version=20,
        custom_translation_table=table,
    )
    program.save(tmp_path / "kept.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "kept.onnx")

    for count in (1, 3, 5):
        boxes, scores = groups(count)
        if count == 5:
            scores[1] = 0  # nothing in one of them
        names = [one.name for one in session.get_inputs()]
        (found,) = session.run(None, {names[0]: boxes.numpy(), names[1]: scores.numpy()})
        assert np.array_equal(found, kept(boxes, scores, 0.4, 0.2).numpy())


def test_formats_of_torch_refuse_a_module_that_needs_it() -> None:
    part = nn.Identity()
    refuse(nn.Sequential(part))
    part.is_two_stage = True  # type: ignore[assignment]

    with pytest.raises(GateError, match="operators of torchvision"):
        refuse(nn.Sequential(part))
