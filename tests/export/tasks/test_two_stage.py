"""lit_export.tasks.two_stage: what torchvision's two-stage detectors find, their graph finds for batches."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models.detection import FasterRCNN, KeypointRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.keypoint_rcnn import KeypointRCNNHeads, KeypointRCNNPredictor
from torchvision.ops import MultiScaleRoIAlign

from lit_export import export
from lit_export.options import Options
from lit_export.tasks.two_stage import TwoStage, check_same
from lit_infer import load
from lit_infer.errors import GateError, UsageError
from tests.support.mask_rcnn import WIDE, Backbone, mask_rcnn, unsure

SMALL: dict[str, Any] = {
    "min_size": 64,
    "max_size": 90,
    "rpn_pre_nms_top_n_test": 60,
    "rpn_post_nms_top_n_test": 30,
    "box_detections_per_img": 10,
}


def anchors(levels: int = 2) -> AnchorGenerator:
    return AnchorGenerator(sizes=((16,), (32,))[:levels], aspect_ratios=((0.5, 1.0),) * levels)


def faster() -> FasterRCNN:
    pool = MultiScaleRoIAlign(["0", "1"], 5, 2)
    return FasterRCNN(Backbone(), 4, rpn_anchor_generator=anchors(), box_roi_pool=pool, **SMALL)


def of_one_level() -> FasterRCNN:
    backbone = nn.Sequential(nn.Conv2d(3, 16, 3, stride=8, padding=1), nn.ReLU())
    backbone.out_channels = 16  # type: ignore[assignment]
    pool = MultiScaleRoIAlign(["0"], 5, 2)
    return FasterRCNN(backbone, 3, rpn_anchor_generator=anchors(1), box_roi_pool=pool, **SMALL)


def keypoint() -> KeypointRCNN:
    pools = {
        "box_roi_pool": MultiScaleRoIAlign(["0", "1"], 5, 2),
        "keypoint_roi_pool": MultiScaleRoIAlign(["0", "1"], 14, 2),
        "keypoint_head": KeypointRCNNHeads(WIDE, (8,)),
        "keypoint_predictor": KeypointRCNNPredictor(8, 5),
    }
    return KeypointRCNN(Backbone(), 2, rpn_anchor_generator=anchors(), **pools, **SMALL)


def made(make: Any) -> Any:
    torch.manual_seed(0)
    return unsure(make())


def pictures(count: int = 3) -> torch.Tensor:
    return torch.rand(count, 3, 48, 72) * torch.linspace(0.3, 1, count)[:, None, None, None]


@pytest.mark.parametrize("make", [faster, of_one_level, keypoint, lambda: mask_rcnn(4)])
def test_parts_put_together_for_a_batch_find_what_the_module_finds_image_by_image(make: Any) -> None:
    module, images = made(make), pictures()
    found = TwoStage(module)

    with torch.no_grad():
        every, expected = found(images), module(list(images))

    assert sum(len(one["scores"]) for one in expected) > 10
    for index, own in enumerate(expected):
        count = int(every["count"][index])
        assert count == len(own["scores"])
        torch.testing.assert_close(every["scores"][index, :count], own["scores"])
        torch.testing.assert_close(every["boxes"][index, :count], own["boxes"], atol=1e-3, rtol=1e-4)
        assert every["labels"][index, :count].tolist() == own["labels"].tolist()
        assert not every["scores"][index, count:].any()
    check_same(found, images)


def test_what_is_padded_is_nothing() -> None:
    module, images = made(faster), pictures()
    with torch.no_grad():
        module.roi_heads.score_thresh = float(module(list(images))[0]["scores"][2])
        every = TwoStage(module)(images)

    assert every["count"][0] == 2
    assert not every["boxes"][0, 2:].any()
    assert not every["labels"][0, 2:].any()


def test_masks_are_those_of_the_module_before_they_are_pasted() -> None:
    module, images = made(lambda: mask_rcnn(4)), pictures(2)
    found = TwoStage(module, with_masks=True)
    small: list[torch.Tensor] = []
    module.transform.postprocess = lambda result, *_: small.extend(one["masks"] for one in result) or result

    with torch.no_grad():
        module(list(images))
        every = found(images)

    for own, mask, count in zip(small, every["masks"], every["count"], strict=True):
        torch.testing.assert_close(mask[: int(count)], own)
        assert own.std() > 0.05


class Shifted(FasterRCNN):
    """With a forward of its own."""

    def forward(self, *given: Any) -> Any:
        found = super().forward(*given)
        return [{**one, "boxes": one["boxes"] + 3} for one in found]


def test_a_detector_with_a_forward_of_its_own_is_refused() -> None:
    module = made(faster)
    module.__class__ = Shifted

    with pytest.raises(GateError, match="Shifted finds other boxes than its parts"):
        check_same(TwoStage(module), pictures())


def test_pooling_in_another_way_is_refused() -> None:
    module = made(lambda: mask_rcnn(4))
    module.roi_heads.mask_roi_pool = nn.Identity()

    with pytest.raises(GateError, match="MaskRCNN pools with Identity, not MultiScaleRoIAlign"):
        TwoStage(module, with_masks=True)


def options(tmp_path: Path, *more: str) -> Options:
    lines = ["task: object-detection", "preprocess: [resize: {size: [48, 72]}]", "answers: {threshold: 0.2}", *more]
    (tmp_path / "spec.yaml").write_text("\n".join(lines))
    return Options(spec=tmp_path / "spec.yaml")


@pytest.mark.slow
def test_a_graph_of_it_takes_any_batch_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    bundle = export(made(lambda: mask_rcnn(4)), ("onnx", "pt2"), out=tmp_path / "bundle", options=options(tmp_path))

    onnx, pt2 = bundle.manifest.graphs[0], bundle.failed[0]
    assert onnx.parity is not None
    assert onnx.parity.batches == (1, 2, 3, 8, 4)
    assert [one.shape[1:] for one in bundle.manifest.outputs] == [(12,), (12, 4), (12,), ()]
    assert bundle.manifest.rows == "independent"
    assert bundle.manifest.proof is not None
    assert "its masks are left out" in bundle.manifest.proof.assumed
    assert pt2.reason is not None
    assert "operators of torchvision" in pt2.reason
    with load(tmp_path / "bundle", device="cpu") as model:
        (found,) = model.predict([np.full((31, 45, 3), 200, np.uint8)])
    assert (found.answer.width, found.answer.height) == (45, 31)


def test_labels_without_one_for_the_background_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="3 labels are given and FasterRCNN has 4 classes, the first of which is the"):
        export(made(faster), out=tmp_path / "bundle", options=options(tmp_path, "labels: [a, b, c]"))
