"""MaskFormer's answers: a class and a mask for each of many queries, which together give each pixel its classes."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

CLASSES, MASKS = "class_queries_logits", "masks_queries_logits"


def are_in(parts: Mapping[str, Any]) -> bool:
    """Whether a module's outputs, by name, are those of queries."""
    return isinstance(parts.get(CLASSES), Tensor) and isinstance(parts.get(MASKS), Tensor)


def combined(parts: Mapping[str, Any], size: tuple[int, int], *, enlarge: str) -> Tensor:
    """Shares [batch, classes, height, width] of each pixel, as `post_process_semantic_segmentation` adds them up.

    The last class, "no object", counts for none. Masks are enlarged to the size of the image before the sigmoid, as
    Mask2Former and OneFormer do.
    """
    masks = parts[MASKS].to(torch.float32)
    if masks.shape[2:] != size:
        corners = {} if enlarge == "nearest" else {"align_corners": False}
        masks = functional.interpolate(masks, size, mode=enlarge, **corners)
    classes = torch.softmax(parts[CLASSES].to(torch.float32), dim=-1)[..., :-1]
    scores = torch.einsum("bqc,bqhw->bchw", classes, torch.sigmoid(masks))
    return scores / scores.sum(1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
