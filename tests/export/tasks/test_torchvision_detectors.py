"""lit_export.tasks.torchvision_detectors: what torchvision's own post-processing finds, the runtime finds too."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.models.detection import FCOS, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.ssd import SSD

from lit_export import export
from lit_export.options import Options
from lit_export.tasks.torchvision_detectors import OneStage, _between, check_same
from lit_infer import images, load
from lit_infer.errors import GateError
from lit_infer.manifest import Resize, Step
from lit_infer.tasks import TASKS
from lit_infer.tasks.candidates import chosen


class Backbone(nn.Module):
    """Features of two sizes."""

    out_channels: Any = 32

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 32, 3, stride=8, padding=1)
        self.second = nn.Conv2d(32, 32, 3, stride=2, padding=1)

    def forward(self, images: Tensor) -> OrderedDict[str, Tensor]:
        first = self.first(images).relu()
        return OrderedDict([("0", first), ("1", self.second(first).relu())])


def anchors() -> AnchorGenerator:
    return AnchorGenerator(sizes=((16,), (32,)), aspect_ratios=((1.0,), (1.0,)))


def retina_net() -> nn.Module:
    return RetinaNet(Backbone(), num_classes=4, anchor_generator=anchors(), min_size=64, max_size=90)


def fcos() -> nn.Module:
    return FCOS(Backbone(), num_classes=4, anchor_generator=anchors(), min_size=64, max_size=90)


def ssd() -> nn.Module:
    backbone = Backbone()
    backbone.out_channels = [32, 32]  # of each size, where others have one number
    return SSD(backbone, DefaultBoxGenerator([[2], [2]]), size=(64, 96), num_classes=4)


def unsure(make: Callable[[], nn.Module], std: float = 0.5) -> Any:
    """A detector whose scores differ from candidate to candidate, as those of a trained one do."""
    torch.manual_seed(0)
    made = make()
    for name, weights in made.named_parameters():
        if "cls_logits" in name or ("classification" in name and "ssd" in make.__name__):
            nn.init.normal_(weights, std=std)
    return made.eval()


every = pytest.mark.parametrize("make", [retina_net, fcos, ssd])


@every
def test_candidates_and_the_runtime_find_what_the_module_finds(make: Callable[[], nn.Module]) -> None:
    module = unsure(make)
    found = OneStage(module)
    images = torch.rand(2, 3, 48, 72)
    with torch.no_grad():
        boxes, scores = (found(images)[name].numpy() for name in ("boxes", "scores"))

    check_same(found, images, (scores, boxes))

    module.score_thresh = least = _between(scores)
    reading = TASKS["object-detection"].reading(labels=None, answers={**found.answers, "threshold": least}, size=None)
    with torch.no_grad():
        expected = module(list(images))
    for own, *candidate in zip(expected, scores, boxes, strict=True):
        best, labels, corners, _ = chosen(candidate, reading)
        assert len(best) > 3
        np.testing.assert_allclose(best, own["scores"].numpy(), rtol=1e-4)
        assert_same_boxes(labels, corners, own)


def assert_same_boxes(labels: Any, corners: Any, own: Any, scale: Any = 1.0) -> None:
    """In any order: that of equal scores is not fixed."""
    found, expected = (
        sorted([int(label), *np.round(box).tolist()] for label, box in zip(*pair, strict=True))
        for pair in ((labels, corners), (own["labels"].numpy(), own["boxes"].numpy() * scale))
    )
    np.testing.assert_allclose(found, expected, atol=1.01)  # of pixels, rounded


def test_a_detector_that_post_processes_in_its_own_way_is_refused() -> None:
    module = unsure(retina_net)
    found = OneStage(module)
    images = torch.rand(2, 3, 48, 72)
    with torch.no_grad():
        boxes, scores = (found(images)[name].numpy() for name in ("boxes", "scores"))

    with pytest.raises(GateError, match="RetinaNet's own post-processing finds other boxes"):
        check_same(found, images, (scores, boxes + 3))
    with pytest.raises(GateError, match="RetinaNet's own post-processing finds other boxes"):
        check_same(found, images, (scores[:, ::-1].copy(), boxes))
    module.nms_thresh = 0.01
    check_same(found, images, (scores, boxes))  # read off the module


@pytest.mark.slow
def test_a_bundle_of_one_finds_in_files_what_the_module_finds(tmp_path: Path) -> None:
    module = unsure(fcos, std=0.1)
    (tmp_path / "images").mkdir()
    generator = np.random.default_rng(0)
    for index, (width, height) in enumerate([(72, 48), (100, 70)]):
        noise = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / "images" / f"{index}.png")
    steps = (Step(resize=Resize(size=(48, 72))),)
    prepared = [images.prepare(path, steps=steps, channels=3) for path in sorted((tmp_path / "images").iterdir())]
    with torch.no_grad():
        scores = OneStage(module)(torch.from_numpy(np.stack(prepared)).permute(0, 3, 1, 2) / 255)["scores"]
    module.score_thresh = least = _between(scores.numpy())
    spec = tmp_path / "spec.yaml"
    facts = f"task: object-detection\npreprocess: [resize: {{size: [48, 72]}}]\nanswers: {{threshold: {least}}}\n"
    spec.write_text(facts)

    bundle = export(module, out=tmp_path / "bundle", options=Options(spec=spec, images=tmp_path / "images"))

    assert bundle.manifest.answers == {"overlap": 0.6, "most": 100, "per_class": True, "threshold": least}
    assert bundle.manifest.proof is not None
    assert "the candidates of FCOS before its own post-processing" in bundle.manifest.proof.assumed
    with load(tmp_path / "bundle", device="cpu") as model:
        for path in sorted((tmp_path / "images").iterdir()):
            with torch.no_grad():
                (own,) = module([torch.tensor(model.prepare(path)).permute(2, 0, 1) / 255])
            (found,) = model.predict([path])
            scale = np.array([found.answer.width / 72, found.answer.height / 48] * 2)
            boxes = found.answer.boxes
            assert len(boxes) > 3
            assert_same_boxes([box.index for box in boxes], [box.box for box in boxes], own, scale)
