"""Non-maximum suppression of batches as one operator, and its ONNX.

torchvision's `nms` is for one group of boxes, so that a graph of a batch would need a loop; ONNX's takes many groups.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import nms

from lit_infer.errors import GateError


@torch.library.custom_op("lit_export::kept", mutates_args=())
def kept(boxes: Tensor, scores: Tensor, overlap: float, least: float) -> Tensor:
    """Which of the boxes [groups, n, 4] stay, bool [groups, n].

    Of two of a group that overlap by more than `overlap` the one of the better score stays; and none whose score is not
    above `least`.
    """
    found = torch.zeros_like(scores, dtype=torch.bool)
    for group, (corners, values) in enumerate(zip(boxes, scores, strict=True)):
        rows = torch.nonzero(values > least)[:, 0]
        found[group, rows[nms(corners[rows], values[rows], overlap)]] = True
    return found


@kept.register_fake
def _shape_of_kept(boxes: Tensor, scores: Tensor, overlap: float, least: float) -> Tensor:
    del boxes, overlap, least
    return torch.empty_like(scores, dtype=torch.bool)


def refuse(module: nn.Module) -> None:
    """For formats of torch: GateError for a module with operators that torch does not have without torchvision."""
    if any(getattr(part, "is_two_stage", False) for part in module.modules()):
        raise GateError(
            "its suppression and its pooling are operators of torchvision, which torch alone does not run: export onnx "
            "or openvino"
        )


def translations() -> Mapping[Callable[..., Any], Callable[..., Any]]:
    """How torch's exporter writes it."""
    from onnxscript import opset20 as op

    def onnx_kept(boxes: Any, scores: Any, overlap: float, least: float) -> Any:
        every = op.Constant(value_int=2**31 - 1)
        threshold, minimum = op.Constant(value_float=overlap), op.Constant(value_float=least)
        chosen = op.NonMaxSuppression(
            boxes, op.Unsqueeze(scores, op.Constant(value_ints=[1])), every, threshold, minimum
        )
        places = op.Gather(chosen, op.Constant(value_ints=[0, 2]), axis=1)  # of [group, class, box]
        nothing = op.Expand(op.Constant(value_float=0.0), op.Shape(scores))
        ones = op.Expand(op.Constant(value_float=1.0), op.Slice(op.Shape(places), [0], [1]))
        return op.Greater(op.ScatterND(nothing, places, ones), op.Constant(value_float=0.5))

    return {torch.ops.lit_export.kept.default: onnx_kept}
