"""lit_export.tasks.instance_segmentation: masks are those of the module's own post-processing, and scored by COCO."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lit_export.options import Options
from lit_export.tasks import TASKS, answers
from lit_infer.answering import with_way
from lit_infer.errors import UsageError
from lit_infer.images import prepare_noted
from lit_infer.images.rle import Rle, of_mask
from lit_infer.manifest import DeploymentFacts, Resize, Step
from lit_infer.tasks import Ask, Reading
from lit_infer.tasks.instance_segmentation import TASK, FoundInstance, FoundInstances
from tests.support.mask_rcnn import mask_rcnn, unsure

STEPS = (Step(resize=Resize(size=(48, 72))),)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Of odd sizes, and of other proportions than the model's images."""
    folder, generator = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    found = []
    for index, (width, height) in enumerate([(133, 57), (41, 97), (72, 48)]):
        small = generator.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
        pixels = np.kron(small, np.ones((8, 8, 1), np.uint8))[:height, :width]
        Image.fromarray(pixels).save(folder / f"{index}.png")
        found.append(folder / f"{index}.png")
    return found


def test_masks_in_files_of_odd_sizes_are_those_of_the_module_s_own_post_processing(files: list[Path]) -> None:
    torch.manual_seed(0)
    module: Any = unsure(mask_rcnn(4))
    facts = DeploymentFacts(task=TASK.name, preprocess=STEPS, normalize=None, answers={"threshold": 0.2})
    target = TASKS[TASK.name].target(module, facts, Options())
    original: list[tuple[int, int]] = []
    own = module.transform.postprocess
    module.transform.postprocess = lambda result, sizes, _: own(result, sizes, [original[-1]])

    compared = 0
    for path in files:
        pixels, _, _, size = prepare_noted(path, steps=STEPS, channels=3)
        original.append((size[1], size[0]))
        with torch.no_grad():
            (expected,) = module([torch.tensor(pixels).permute(2, 0, 1) / 255])
        ask = with_way(Ask(threshold=0.2), size, STEPS)
        (found,) = TASK.read(answers(target.module, (pixels[None],)), [ask], target.reading)
        assert isinstance(found, FoundInstances)
        assert (found.width, found.height) == size
        masks = expected["masks"][expected["scores"] >= 0.2, 0].numpy() >= 0.5
        for one, mask, box in zip(found.boxes, masks, expected["boxes"].numpy(), strict=False):
            np.testing.assert_allclose(one.box, box, rtol=1e-4, atol=1e-3)
            assert np.array_equal(one.segmentation.mask(), mask)
            assert one.area == mask.sum()
            compared += 0 < one.area < mask.size
        assert len(found.boxes) == len(masks)
    assert compared > 5


def truth(*masks: np.ndarray) -> tuple[list[Rle], np.ndarray]:
    return [of_mask(mask) for mask in masks], np.ones(len(masks), int)


def test_masks_are_scored_by_how_far_they_overlap() -> None:
    score = TASKS[TASK.name].score
    assert score is not None
    assert score.counted is not None
    mask = np.zeros((10, 10), bool)
    mask[2:8, 2:8] = True
    most = mask.copy()
    most[2] = False  # five rows of six: an overlap of 0.83
    found = FoundInstances((FoundInstance("cat", 1, 0.9, (2, 2, 8, 8), 30, of_mask(most)),), 10, 10)
    reading = Reading(labels=None, facts=None, size=None)

    rows = score.counted(found, truth(mask), reading)

    assert score.values(rows, [], reading) == pytest.approx({"mask mAP50": 1, "mask mAP": 0.7})
    with pytest.raises(UsageError, match="a mask is of an image of 9 x 10 pixels, and its image has 10 x 10"):
        score.counted(found, truth(mask[:, :9]), reading)
