"""torchvision's one-stage detectors before their post-processing, which the runtime does instead.

`FCOS`, `RetinaNet` and `SSD` answer a list of dicts of any lengths, which no graph of one shape has. What comes before
is put together here from the module's own parts; with the runtime's post-processing it must find what the module finds.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS, RetinaNet
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.ssd import SSD

from lit_export.tasks.detector_parts import are_alike, in_pixels_of, padded, resized
from lit_infer.errors import GateError
from lit_infer.tasks.candidates import chosen
from lit_infer.tasks.object_detection import TASK
from lit_infer.tensors import Arrays

KNOWN = (FCOS, RetinaNet, SSD)
_COMPARED, _GAP = 200, 1e-5


class OneStage(nn.Module):
    """Images [batch, channels, height, width], 0 to 1, to `boxes` [batch, n, 4] in their pixels and `scores`."""

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.detector = detector

    @property
    def answers(self) -> dict[str, Any]:
        """What the module itself does to its candidates, as the facts have it."""
        found = self.detector
        return {"overlap": float(found.nms_thresh), "most": int(found.detections_per_img), "per_class": True}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """The candidates of all levels, one after the other."""
        sized = resized(self.detector.transform, images)
        inner = sized.shape[2], sized.shape[3]
        whole = padded(self.detector.transform, sized)
        features = list(self.detector.backbone(whole).values())
        found = self.detector.head(features)
        one = ImageList(whole[:1], [inner])
        anchors = self.detector.anchor_generator(one, [level[:1] for level in features])[0]
        boxes = self._decoded(found["bbox_regression"], anchors)
        x, y = boxes[..., 0::2].clamp(0, inner[1]), boxes[..., 1::2].clamp(0, inner[0])
        corners = in_pixels_of(images, torch.stack((x, y), dim=-1).flatten(-2), inner)
        return {"boxes": corners, "scores": self._scores(found)}

    def _decoded(self, codes: Tensor, anchors: Tensor) -> Tensor:
        batch, count = codes.shape[:2]
        repeated = anchors[None].expand(batch, -1, -1)
        coder = self.detector.box_coder
        if isinstance(self.detector, FCOS):
            found: Tensor = coder.decode(codes, repeated)
            return found
        one: Tensor = coder.decode_single(codes.reshape(-1, 4), repeated.reshape(-1, 4))
        return one.reshape(batch, count, 4)

    def _scores(self, found: dict[str, Tensor]) -> Tensor:
        logits = found["cls_logits"]
        if isinstance(self.detector, SSD):
            shares = torch.softmax(logits, dim=-1)
            return torch.cat((shares[..., :1] * 0, shares[..., 1:]), dim=-1)  # the first is the background
        if isinstance(self.detector, FCOS):
            return torch.sqrt(torch.sigmoid(logits) * torch.sigmoid(found["bbox_ctrness"]))
        return torch.sigmoid(logits)


def check_same(found: OneStage, images: Tensor, outputs: Arrays) -> None:
    """Raise GateError unless candidates and the runtime's post-processing find what the module finds itself.

    `images`: what the module is given; `outputs`: scores and boxes of the candidates. Compared from the score on that
    some hundred of them reach: the module looks at no more than `topk_candidates`.
    """
    module, scores = found.detector, outputs[0]
    least = _between(scores)
    before, module.score_thresh = module.score_thresh, least
    try:
        with torch.no_grad():
            expected = module(list(images))
    finally:
        module.score_thresh = before
    reading = TASK.reading(labels=None, answers={**found.answers, "threshold": min(1.0, least)}, size=None)
    for own, *row in zip(expected, *outputs, strict=True):
        best, labels, corners, _ = chosen(row, reading)
        if not are_alike(own, best, labels, corners):
            raise GateError(
                f"{type(module).__name__}'s own post-processing finds other boxes than its candidates and the "
                "runtime's: it has been changed, or more candidates score enough than it looks at"
            )


def _between(scores: Any) -> float:
    """A threshold that some of the scores are above, and none is near: modules want more, the runtime as much."""
    ordered = np.sort(scores.astype(np.float64), axis=None)[::-1]
    gaps = np.flatnonzero(ordered[:-1] - ordered[1:] > _GAP * ordered[:-1])
    if not len(gaps):  # all score alike
        return float(ordered[-1]) / 2
    fit = gaps[gaps < _COMPARED]
    last = int(fit[-1] if len(fit) else gaps[0])
    return float(ordered[last : last + 2].mean())
