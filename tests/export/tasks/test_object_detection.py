"""lit_export.tasks.object_detection: candidates in pixels, what scores are, and mAP."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from lit_export import export, score
from lit_export.labelled import Question
from lit_export.options import Options
from lit_export.tasks import TASKS, answers
from lit_infer import load
from lit_infer.errors import GateError, UsageError
from lit_infer.folder import coco
from lit_infer.manifest import DeploymentFacts, Resize, Step
from tests.support.targets import target_for

TASK = TASKS["object-detection"]
SIZE = (32, 48)


class Net(nn.Module):
    """A candidate for each cell of 8 x 8 pixels: how red and how blue it is, and its place."""

    def __init__(self, ending: Callable[[Tensor, Tensor], Any]) -> None:
        super().__init__()
        self.ending = ending
        self.scale = nn.Parameter(torch.tensor(20.0))

    def forward(self, images: Tensor) -> Any:
        cells = nn.functional.avg_pool2d(images, 8)
        rows, columns = cells.shape[2:]
        y, x = torch.meshgrid(torch.arange(rows) * 8.0 + 4, torch.arange(columns) * 8.0 + 4, indexing="ij")
        centres = torch.stack((x, y, torch.full_like(x, 8.0), torch.full_like(x, 8.0)), -1).reshape(1, -1, 4)
        logits = (cells[:, [0, 2]].flatten(2).transpose(1, 2) - 0.6) * self.scale
        return self.ending(logits, centres.expand(len(images), -1, -1) + logits[..., :1] * 0)


def one_stage(logits: Tensor, boxes: Tensor) -> Tensor:
    return torch.cat((boxes, logits.sigmoid()), -1).transpose(1, 2)


def of_set(logits: Tensor, boxes: Tensor) -> dict[str, Tensor]:
    sides = torch.tensor([SIZE[1], SIZE[0]] * 2)
    nothing = torch.zeros_like(logits[..., :1])
    return {"pred_logits": torch.cat((logits, nothing), -1), "pred_boxes": boxes / sides}


def corners(logits: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    return torch.cat((boxes[..., :2] - 4, boxes[..., :2] + 4), -1), logits


def facts(**changes: Any) -> DeploymentFacts:
    steps = changes.pop("preprocess", (Step(resize=Resize(size=SIZE)),))
    return DeploymentFacts(task="object-detection", preprocess=steps, labels=("red", "blue"), **changes)


@pytest.mark.parametrize("ending", [one_stage, of_set, corners])
def test_candidates_are_probabilities_and_corners_in_pixels(ending: Callable[[Tensor, Tensor], Any]) -> None:
    found = target_for(Net(ending).eval(), facts())

    shapes = {one.name: one.shape for one in found.outputs}
    assert shapes == {"scores": ("batch", 24, 2), "boxes": ("batch", 24, 4)}
    scores, boxes = answers(found.module, found.example)
    np.testing.assert_allclose(
        boxes[0, :7], [[x, y, x + 8, y + 8] for y in (0, 8) for x in range(0, 48, 8)][:7], atol=1e-3
    )
    pixels = torch.from_numpy(found.example[0].astype(np.float32) / 255).permute(0, 3, 1, 2)
    logits, _ = Net(lambda *both: both).eval()(pixels)
    if ending is of_set:
        expected = torch.cat((logits, torch.zeros_like(logits[..., :1])), -1).softmax(-1)[..., :-1]
    else:
        expected = logits.sigmoid()
    np.testing.assert_allclose(scores, expected.detach().numpy(), rtol=1e-3, atol=1e-5)
    assert found.facts.answers["overlap"] == (0.5 if ending is one_stage else None)
    assert any("scores are taken for" in one for one in found.assumed)


@pytest.mark.parametrize(
    ("ending", "answers_", "message"),
    [
        (lambda logits, boxes: (boxes, logits.sigmoid() * 0.9), {}, "is not certain. Say so in --spec"),
        (lambda logits, boxes: (boxes, torch.cat([logits] * 3, -1)), {}, "scores of 6 classes are is not certain"),
        (corners, {"scores": "probabilities"}, "declared probabilities, but the module answers from"),
        (lambda _, boxes: [{"boxes": boxes[0]}], {}, "as torchvision's detectors do"),
    ],
)
def test_what_is_not_certain_is_asked(
    ending: Callable[[Tensor, Tensor], Any], answers_: dict[str, Any], message: str
) -> None:
    with pytest.raises((UsageError, GateError), match=message):
        target_for(Net(ending).eval(), facts(answers=answers_))


def test_what_is_said_of_boxes_and_scores_is_done() -> None:
    said = {"boxes": "cxcywh", "scores": "sigmoid", "overlap": 0.3}

    found = target_for(Net(lambda logits, boxes: (boxes, logits)).eval(), facts(answers=said))

    usual = target_for(Net(one_stage).eval(), facts())
    for one, other in zip(answers(found.module, found.example), answers(usual.module, usual.example), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
    assert found.facts.answers == said


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Pictures of odd sizes with a red and a blue rectangle, and where they are."""
    rows = []
    for index, (width, height) in enumerate([(96, 64), (131, 90), (64, 100)]):
        pixels = np.full((height, width, 3), 20, np.uint8)
        boxes = []
        for label, channel, left, top in ((0, 0, 0, 0), (1, 2, width // 2, height // 2)):
            box = [left, top, left + width // 4, top + height // 4]
            pixels[box[1] : box[3], box[0] : box[2], channel] = 255
            boxes.append({"label": ("red", "blue")[label], "index": label, "score": 1.0, "box": box})
        (tmp_path / "data").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "data" / f"{index}.png")
        rows.append({"path": f"{index}.png", "width": width, "height": height, "error": None, "boxes": boxes})
    coco.write(rows, tmp_path / "data" / "annotations.json", labels=("red", "blue"))
    return tmp_path / "data"


class Halves(nn.Module):
    """Always right for `labelled`: a quarter of the sides at two places, red and blue."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        red = images[:, 0, 1, 1][:, None, None] * 40 - 20
        none = torch.full_like(red, -20.0)
        logits = torch.cat((torch.cat((red, none, none), -1), torch.cat((none, red, none), -1)), 1)
        boxes = torch.tensor([[0.125, 0.125, 0.25, 0.25], [0.625, 0.625, 0.25, 0.25]])
        return {"logits": logits * self.weight, "pred_boxes": boxes.expand(len(images), -1, -1) + red * 0}


def test_the_score_on_data_is_that_in_the_images_as_they_were(labelled: Path) -> None:
    found = target_for(Halves().eval(), facts())
    assert TASK.score is not None

    values = score.of_positions(found, TASK.score.labelled(Question(labelled, ("red", "blue"), 2)), TASK.score)

    assert values["mAP50"] == pytest.approx(1)
    assert values["mAP"] > 0.8  # sides that are no multiple of four


def spec(folder: Path) -> Path:
    path = folder / "spec.yaml"
    path.write_text("task: object-detection\npreprocess: [resize: {size: [32, 48]}]\nlabels: [red, blue]\n")
    return path


def test_inputs_on_which_nothing_is_found_prove_nothing(tmp_path: Path) -> None:
    quiet = Net(lambda logits, boxes: (boxes, logits - 40)).eval()

    with pytest.raises(UsageError, match=r"finds nothing that scores 0\.5 or more on any input .*--images FOLDER"):
        export(quiet, out=tmp_path / "bundle", options=Options(spec=spec(tmp_path)))


@pytest.mark.slow
def test_a_bundle_finds_what_the_module_finds_with_the_runtime_s_own_suppression(
    labelled: Path, tmp_path: Path
) -> None:
    from torchvision.ops import batched_nms

    net = Net(one_stage).eval()
    bundle = export(net, out=tmp_path / "bundle", options=Options(spec=spec(tmp_path), data=labelled))

    (graph,) = bundle.manifest.graphs
    assert bundle.manifest.proof is not None
    assert bundle.manifest.proof.inputs == "images"
    assert graph.score is not None
    assert (graph.score.metric, graph.score.value) == ("mAP50", graph.score.eager)
    with load(tmp_path / "bundle", device="cpu") as model:
        paths = sorted(labelled.glob("*.png"))
        for path, prediction in zip(paths, model.predict(paths), strict=True):
            pixels = torch.tensor(model.prepare(path)).permute(2, 0, 1)[None] / 255
            with torch.no_grad():
                output = net(pixels)[0].T
            best, labels = output[:, 4:].max(-1)
            boxes = torch.cat((output[:, :2] - output[:, 2:4] / 2, output[:, :2] + output[:, 2:4] / 2), -1)
            kept = [index for index in batched_nms(boxes, best, labels, 0.5).tolist() if best[index] >= 0.5]
            with Image.open(path) as image:
                scale = np.array([image.width / 48, image.height / 32] * 2)
            assert [one.index for one in prediction.answer.boxes] == labels[kept].tolist()
            np.testing.assert_allclose(
                [one.box for one in prediction.answer.boxes], boxes[kept].numpy() * scale, rtol=1e-4, atol=1e-3
            )
