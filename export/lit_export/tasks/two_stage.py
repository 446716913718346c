"""torchvision's two-stage detectors (Faster, Mask and Keypoint R-CNN) as one graph for batches.

The second stage looks at what suppression leaves of the first, so that suppression is in the graph. What the module
answers as lists of any lengths is padded to as many as it finds at most. Put together from the module's own parts; what
it finds must be what the module finds.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import MultiScaleRoIAlign

from lit_export.suppression import kept
from lit_export.tasks.detector_parts import are_alike, in_pixels_of, padded, resized
from lit_infer.errors import GateError

KNOWN = (FasterRCNN,)  # MaskRCNN and KeypointRCNN are subclasses
_LEAST_SIDE = 1e-2
"""Of a box of the second stage, as `RoIHeads` has it."""
_OUT = -1.0
"""The score of what is no candidate: below all that sigmoid and softmax answer."""


class TwoStage(nn.Module):
    """Images [batch, channels, height, width], 0 to 1, to what is found in each, the best first.

    `boxes` [batch, n, 4] in their pixels, `scores` [batch, n], `labels` int32 [batch, n], `count` int32 [batch], and of
    Mask R-CNN `masks` [batch, n, 1, 28, 28], the probabilities inside each box. What is beyond the count is 0.
    """

    is_two_stage = True

    def __init__(self, detector: Any, *, with_masks: bool = False) -> None:
        super().__init__()
        self.detector = detector
        self.with_masks = with_masks
        self.classes = int(_out_features(detector))
        for pool in (detector.roi_heads.box_roi_pool, *([detector.roi_heads.mask_roi_pool] if with_masks else [])):
            if not isinstance(pool, MultiScaleRoIAlign):
                raise GateError(f"{type(detector).__name__} pools with {type(pool).__name__}, not MultiScaleRoIAlign")

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """First where there may be something, then what it is."""
        sized = resized(self.detector.transform, images)
        inner = sized.shape[2], sized.shape[3]
        whole = padded(self.detector.transform, sized)
        features = self.detector.backbone(whole)
        features = {"0": features} if isinstance(features, Tensor) else dict(features)
        proposals, there = self._proposals(whole, inner, features)
        found = self._found(features, inner, proposals, there)
        if self.with_masks:
            found["masks"] = self._masks(features, inner, found)
        found["boxes"] = in_pixels_of(images, found["boxes"], inner)
        return found

    def _proposals(self, whole: Tensor, inner: tuple[int, int], features: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Where there may be something: boxes [batch, k, 4], and which of them there are, bool [batch, k]."""
        rpn, levels = self.detector.rpn, list(features.values())
        one = ImageList(whole[:1], [inner])
        anchors = rpn.anchor_generator(one, [level[:1] for level in levels])[0]
        boxes, scores, start = [], [], 0
        for logits, deltas in zip(*rpn.head(levels), strict=True):
            flat, codes = _rows(logits, 1)[..., 0], _rows(deltas, 4)
            count = flat.shape[1]
            level_anchors, start = anchors[start : start + count], start + count
            best, rows = flat.topk(min(rpn.pre_nms_top_n(), count), dim=1)
            corners = _decoded(rpn.box_coder, _taken(codes, rows), level_anchors[rows])
            corners = _clipped(corners, inner)
            share = torch.sigmoid(best)
            share = torch.where(_are_large(corners, rpn.min_size) & (share >= rpn.score_thresh), share, _OUT)
            stays = kept(corners, share, float(rpn.nms_thresh), _OUT / 2)
            boxes.append(corners)
            scores.append(torch.where(stays, share, _OUT))
        every, shares = torch.cat(boxes, dim=1), torch.cat(scores, dim=1)
        best, rows = _best(shares, rpn.post_nms_top_n())
        there = best > _OUT / 2
        return _taken(every, rows) * there[..., None], there

    def _found(
        self, features: dict[str, Tensor], inner: tuple[int, int], proposals: Tensor, there: Tensor
    ) -> dict[str, Tensor]:
        """Of each class of each proposal the box and its score; the best of those that say different things."""
        heads, (batch, count) = self.detector.roi_heads, there.shape
        pooled = _pooled(heads.box_roi_pool, features, inner, proposals)
        logits, codes = heads.box_predictor(heads.box_head(pooled))
        classes = self.classes - 1
        places = proposals.reshape(-1, 4)[:, None].expand(-1, classes, -1)
        codes = codes.reshape(-1, self.classes, 4)[:, 1:]  # the first is the background
        corners = _clipped(_decoded(heads.box_coder, codes, places), inner)
        shares = torch.softmax(logits, dim=-1)[:, 1:]
        fit = (shares > heads.score_thresh) & _are_large(corners, _LEAST_SIDE) & there.reshape(-1, 1)
        shares = torch.where(fit, shares, _OUT).reshape(batch, count, classes).transpose(1, 2)
        corners = corners.reshape(batch, count, classes, 4).transpose(1, 2)
        stays = kept(
            corners.reshape(batch * classes, count, 4),
            shares.reshape(batch * classes, count),
            float(heads.nms_thresh),
            _OUT / 2,
        )
        shares = torch.where(stays.reshape(batch, classes, count), shares, _OUT).flatten(1)
        best, rows = _best(shares, heads.detections_per_img)
        is_found = best > _OUT / 2
        labels = torch.div(rows, count, rounding_mode="floor") + 1
        return {
            "boxes": _taken(corners.flatten(1, 2), rows) * is_found[..., None],
            "scores": best * is_found,
            "labels": (labels * is_found).to(torch.int32),
            "count": is_found.sum(1).to(torch.int32),
        }

    def _masks(self, features: dict[str, Tensor], inner: tuple[int, int], found: dict[str, Tensor]) -> Tensor:
        """Inside each box, the probability that a place belongs to what was found."""
        heads, (batch, count) = self.detector.roi_heads, found["labels"].shape
        pooled = _pooled(heads.mask_roi_pool, features, inner, found["boxes"])
        logits = heads.mask_predictor(heads.mask_head(pooled))
        side = logits.shape[-1]
        wanted = found["labels"].reshape(-1, 1, 1, 1).to(torch.int64).expand(-1, 1, logits.shape[2], side)
        own = torch.sigmoid(logits.gather(1, wanted)).reshape(batch, count, 1, logits.shape[2], side)
        return own * (found["scores"] > 0)[:, :, None, None, None]


def _out_features(detector: Any) -> int:
    predictor = detector.roi_heads.box_predictor
    if not hasattr(predictor, "cls_score"):
        raise GateError(f"{type(predictor).__name__}, the box_predictor, has no cls_score, as FastRCNNPredictor has")
    return int(predictor.cls_score.out_features)


def _rows(values: Tensor, size: int) -> Tensor:
    """[batch, anchors * size, height, width] as [batch, height * width * anchors, size]."""
    batch, both, height, width = values.shape
    return values.reshape(batch, both // size, size, height, width).permute(0, 3, 4, 1, 2).reshape(batch, -1, size)


def _best(scores: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """The best of [batch, n] and where they are; of equal ones the first, as suppression in torchvision sorts them."""
    ordered, rows = torch.sort(
        scores, dim=1, descending=True
    )  # on a CPU it is stable; there is no ONNX if that is said
    return ordered[:, :most], rows[:, :most]


def _taken(values: Tensor, rows: Tensor) -> Tensor:
    """Of [batch, n, size] the rows [batch, k]."""
    return values.gather(1, rows[..., None].expand(-1, -1, values.shape[-1]))


def _decoded(coder: Any, codes: Tensor, places: Tensor) -> Tensor:
    """Boxes of the same shape [..., 4]."""
    found: Tensor = coder.decode_single(codes.reshape(-1, 4), places.reshape(-1, 4))
    return found.reshape(codes.shape)


def _clipped(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    height, width = size
    return torch.stack((boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)), dim=-1).flatten(-2)


def _are_large(boxes: Tensor, least: float) -> Tensor:
    sides = boxes[..., 2:] - boxes[..., :2]
    return (sides >= least).all(-1)


def _pooled(pool: Any, features: dict[str, Tensor], inner: tuple[int, int], boxes: Tensor) -> Tensor:
    """What `MultiScaleRoIAlign` takes of boxes [batch, n, 4]: [batch * n, channels, height, width]."""
    levels: Sequence[Tensor] = [features[name] for name in pool.featmap_names if name in features]
    batch, count = boxes.shape[:2]
    index = torch.arange(batch, device=boxes.device, dtype=boxes.dtype)[:, None].expand(-1, count)
    places = torch.cat((index[..., None], boxes), dim=-1).reshape(-1, 5)
    scales = [_scale(level, inner) for level in levels]
    if len(levels) == 1:
        return _aligned(pool, levels[0], places, scales[0])
    first, last = -math.log2(scales[0]), -math.log2(scales[-1])
    sides = torch.sqrt((places[:, 3] - places[:, 1]) * (places[:, 4] - places[:, 2]))
    wanted = torch.floor(pool.canonical_level + torch.log2(sides / pool.canonical_scale) + 1e-6)
    wanted = wanted.clamp(first, last) - first
    found = levels[0].new_zeros((places.shape[0], levels[0].shape[1], *pool.output_size))
    for number, (level, scale) in enumerate(zip(levels, scales, strict=True)):
        rows = torch.nonzero(wanted == number)[:, 0]
        found = found.index_put((rows,), _aligned(pool, level, places[rows], scale))
    return found


def _scale(level: Tensor, inner: tuple[int, int]) -> float:
    """Of a level to the image: a power of two, as the pooling module takes it."""
    return float(2 ** round(math.log2(level.shape[2] / inner[0])))


def _aligned(pool: Any, level: Tensor, places: Tensor, scale: float) -> Tensor:
    height, width = pool.output_size
    found: Tensor = torch.ops.torchvision.roi_align(level, places, scale, height, width, pool.sampling_ratio, False)
    return found


def check_same(found: TwoStage, images: Tensor) -> None:
    """Raise GateError unless what is put together here finds what the module finds itself, whatever it scores."""
    module = found.detector
    before, module.roi_heads.score_thresh = module.roi_heads.score_thresh, 0.0
    try:
        with torch.no_grad():
            expected, own = module(list(images)), found(images)
    finally:
        module.roi_heads.score_thresh = before
    for index, theirs in enumerate(expected):
        count = int(own["count"][index])
        best, labels, boxes = (own[name][index, :count].numpy() for name in ("scores", "labels", "boxes"))
        if not are_alike(theirs, best, labels, boxes):
            raise GateError(
                f"{type(module).__name__} finds other boxes than its parts, put together as torchvision does: its own "
                "forward, or that of a part, has been changed; or so much scores alike that either may be found, as in "
                "a detector without training"
            )
