"""lit_export.tasks.image_segmentation: what modules answer for pixels, and mIoU."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
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
from lit_infer import load, progress
from lit_infer.errors import GateError, UsageError
from lit_infer.images.masks import png
from lit_infer.images.resizing import Letterbox
from lit_infer.manifest import CenterCrop, DeploymentFacts, Resize, Step
from lit_infer.tasks import TASKS as RUNTIME
from tests.support.targets import target_for

TASK = TASKS["image-segmentation"]
READING = RUNTIME["image-segmentation"].reading(labels=None, answers={}, size=3)
SIZE = (8, 12)


class Net(nn.Module):
    """The three channels, in tens, and what is made of them."""

    def __init__(self, ending: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.ending = ending
        self.scale = nn.Parameter(torch.tensor(10.0))

    def forward(self, images: Tensor) -> Any:
        return self.ending(images * self.scale)


def facts(**changes: Any) -> DeploymentFacts:
    steps = changes.pop("preprocess", (Step(resize=Resize(size=SIZE)),))
    return DeploymentFacts(task="image-segmentation", preprocess=steps, **changes)


def logits_of(found: Any) -> Tensor:
    return torch.from_numpy(found.example[0].astype(np.float32)).permute(0, 3, 1, 2) * (10 / 255)


@pytest.mark.parametrize(
    "ending",
    [
        lambda scores: scores,
        lambda scores: {"out": scores, "aux": -scores},
        lambda scores: {"aux": -scores, "out": scores},
        lambda scores: SimpleNamespace(logits=scores),
        lambda scores: torch.softmax(scores, 1),
    ],
    ids=["logits", "torchvision's", "torchvision's, aux first", "Hugging Face's", "probabilities"],
)
def test_scores_become_probabilities_once(ending: Callable[[Tensor], Any]) -> None:
    found = target_for(Net(ending).eval(), facts())

    assert (found.outputs[0].name, found.outputs[0].shape) == ("probabilities", ("batch", 3, *SIZE))
    expected = torch.softmax(logits_of(found), 1).numpy()
    np.testing.assert_allclose(answers(found.module, found.example)[0], expected, rtol=1e-4, atol=1e-6)


def test_an_auxiliary_output_is_named_that_is_left_out() -> None:
    found = target_for(Net(lambda scores: {"aux": -scores, "out": scores}).eval(), facts())

    assert any("outputs out is taken, and aux left out" in one for one in found.warnings)
    several = target_for(Net(lambda scores: [scores, -scores]).eval(), facts())
    assert any("output_0 is taken, and output_1 left out" in one for one in several.warnings)


@pytest.mark.parametrize(
    "ending",
    [
        lambda scores: scores[:, :1] - 5,
        lambda scores: scores[:, 0] - 5,
        lambda scores: torch.sigmoid(scores[:, :1] - 5),
    ],
    ids=["[b, 1, h, w]", "[b, h, w]", "sigmoid"],
)
def test_one_score_is_that_of_the_second_of_two_classes(ending: Callable[[Tensor], Any]) -> None:
    found = target_for(Net(ending).eval(), facts(labels=("background", "cat")))

    assert found.outputs[0].shape == ("batch", 2, *SIZE)
    share = torch.sigmoid(logits_of(found)[:, :1] - 5).numpy()
    expected = np.concatenate([1 - share, share], 1)
    np.testing.assert_allclose(answers(found.module, found.example)[0], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("keep", [True, False], ids=["[b, 1, h, w]", "[b, h, w]"])
def test_whole_numbers_are_indices(keep: bool) -> None:
    found = target_for(Net(lambda scores: scores.argmax(1, keepdim=keep)).eval(), facts(labels=("a", "b", "c")))

    assert (found.outputs[0].name, found.outputs[0].dtype) == ("classes", "int32")
    assert found.outputs[0].shape == ("batch", *SIZE)
    assert np.array_equal(answers(found.module, found.example)[0], logits_of(found).argmax(1).numpy())


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest"])
def test_scores_of_a_quarter_of_the_size_are_enlarged_before_they_become_probabilities(mode: str) -> None:
    answers_ = {} if mode == "bilinear" else {"enlarge": mode}
    net = Net(lambda scores: SimpleNamespace(logits=nn.functional.avg_pool2d(scores, 4)))

    found = target_for(net.eval(), facts(answers=answers_))

    (said,) = (one for one in found.warnings if "enlarged" in one)
    assert said.startswith(f"the module's scores of 2 x 3 are enlarged to 8 x 12 in the graph ({mode}")
    assert said in found.assumed
    small = nn.functional.avg_pool2d(logits_of(found), 4)
    corners = {} if mode == "nearest" else {"align_corners": False}
    expected = nn.functional.interpolate(small, SIZE, mode=mode, **corners).softmax(1).numpy()
    np.testing.assert_allclose(answers(found.module, found.example)[0], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("ending", "message"),
    [
        (lambda scores: scores[:, :, 1:-1, 1:-1], "answers 6 x 10 scores for images of 8 x 12, and only scores of a"),
        (lambda scores: scores.repeat(1, 1, 2, 2), "answers 16 x 24 scores for images of 8 x 12"),
        (lambda scores: scores[:, :, ::2, ::4], "answers 4 x 3 scores for images of 8 x 12"),
        (lambda scores: scores.argmax(1)[:, ::2, ::2], "answers 4 x 6 indices for images of 8 x 12"),
        (lambda scores: scores.mean((2, 3)), r"answers \[batch, classes, height, width\] for a batch.*\[16, 3\]"),
        (lambda scores: scores / 300, "neither from a sigmoid nor from a softmax"),
        (lambda scores: scores.argmax(1) * 90_000, "which are no class indices"),
    ],
)
def test_what_has_no_certain_place_or_meaning_is_refused(ending: Callable[[Tensor], Any], message: str) -> None:
    with pytest.raises((UsageError, GateError), match=message):
        target_for(Net(ending).eval(), facts())


def test_what_was_said_of_the_scores_is_held_against_them() -> None:
    with pytest.raises(UsageError, match="declared probabilities, but the module answers from"):
        target_for(Net(lambda scores: scores).eval(), facts(answers={"scores": "probabilities"}))
    with pytest.raises(UsageError, match="2 labels are given and the model has 3"):
        target_for(Net(lambda scores: scores).eval(), facts(labels=("a", "b")))
    found = target_for(Net(lambda scores: scores / 300).eval(), facts(answers={"scores": "logits"}))
    np.testing.assert_allclose(answers(found.module, found.example)[0].sum(1), 1, rtol=1e-5)
    overlapping = target_for(Net(torch.sigmoid).eval(), facts())
    assert any("classes may overlap" in one for one in overlapping.warnings)


def test_mean_iou_is_that_of_torchmetrics_and_leaves_open_pixels_out() -> None:
    from torchmetrics.classification import MulticlassJaccardIndex

    generator = np.random.default_rng(0)
    assert TASK.score is not None
    assert TASK.score.counted is not None
    truths = generator.integers(0, 3, (4, 6, 5)).astype(np.uint8)
    found = np.where(generator.random((4, 6, 5)) < 0.7, truths, 1).astype(np.int32)
    truths[:, 0] = 255
    read = RUNTIME["image-segmentation"].read
    from lit_infer.tasks import Ask

    kept = [
        TASK.score.counted(one, truth, READING)
        for one, truth in zip(read([found], [Ask()] * 4, READING), truths, strict=True)
    ]

    values = TASK.score.values(np.concatenate(kept), [], READING)

    metric = MulticlassJaccardIndex(3, ignore_index=255)
    expected = metric(torch.from_numpy(found), torch.from_numpy(truths).long())
    assert values["mIoU"] == pytest.approx(float(expected), rel=1e-6)
    assert values["pixel accuracy"] == pytest.approx((found == truths)[truths != 255].mean())


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Pictures of odd sizes whose left part is red and whose right part is blue, and their masks."""
    for index, (width, height) in enumerate([(30, 20), (17, 41), (12, 8), (64, 64)]):
        pixels = np.full((height, width, 3), 20, np.uint8)
        cut = (index + 1) * width // 6
        pixels[:, :cut, 0] = pixels[:, cut:, 2] = 220
        for name in ("images", "masks"):
            (tmp_path / "data" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "data" / "images" / f"{index}.png")
        mask = np.where(np.arange(width) < cut, 0, 2).astype(np.uint8)[None].repeat(height, 0)
        (tmp_path / "data" / "masks" / f"{index}.png").write_bytes(png(mask))
    return tmp_path / "data"


@pytest.mark.parametrize(
    "steps",
    [
        (Step(resize=Resize(size=(24, 36))),),
        (Step(letterbox=Letterbox(size=(24, 36))),),
        (Step(resize=Resize(size=24)), Step(center_crop=CenterCrop(size=(24, 36)))),
    ],
    ids=["pair", "letterbox", "crop"],
)
def test_the_score_on_data_is_that_in_the_images_as_they_were(labelled: Path, steps: Any) -> None:
    found = target_for(Net(lambda scores: scores).eval(), facts(labels=("red", "green", "blue"), preprocess=steps))
    assert TASK.score is not None

    items = TASK.score.labelled(Question(labelled, ("red", "green", "blue"), 3))
    values = score.of_positions(found, items, TASK.score)

    assert values["mIoU"] > (0.85 if len(steps) == 1 else 0.4)  # a crop leaves pixels without a class


@pytest.mark.slow
def test_a_bundle_answers_as_the_module_whose_masks_it_enlarges(labelled: Path, tmp_path: Path) -> None:
    net = Net(lambda scores: {"out": nn.functional.avg_pool2d(scores, 2), "aux": scores}).eval()
    spec = tmp_path / "spec.yaml"
    spec.write_text("task: image-segmentation\npreprocess: [letterbox: {size: [32, 32]}]\nlabels: [red, green, blue]\n")

    bundle = export(net, out=tmp_path / "bundle", options=Options(spec=spec, data=labelled, images=labelled / "images"))

    (graph,) = bundle.manifest.graphs
    assert graph.parity is not None
    assert graph.parity.agreement is not None
    assert graph.parity.agreement > 0.999  # noise has pixels whose best classes are equally good
    assert graph.score is not None
    assert (graph.score.metric, graph.score.images) == ("mIoU", 4)
    assert graph.score.value == graph.score.eager > 0.8
    with load(tmp_path / "bundle", device="cpu") as model:
        for prediction in model.predict(sorted((labelled / "images").iterdir())):
            with Image.open(str(prediction.path)) as image:
                width, height = image.size
            assert prediction.mask is not None
            assert prediction.mask.shape == (height, width)
            assert set(np.unique(prediction.mask)) <= {0, 1, 2}


@pytest.mark.slow
def test_a_module_whose_images_are_cut_is_proven_on_tiles_and_answers_whole_images(
    labelled: Path, tmp_path: Path
) -> None:
    net = Net(lambda scores: scores).eval()
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "task: image-segmentation\npreprocess: [resize: {size: [32, 32]}]\nlabels: [red, green, blue]\n"
        "tiles: {size: 32, overlap: 8}\n"
    )

    heard: list[str] = []
    with progress.listening(progress.Listener(note=heard.append)):
        options = Options(spec=spec, data=labelled, images=labelled / "images")
        bundle = export(net, out=tmp_path / "bundle", options=options)

    (graph,) = bundle.manifest.graphs
    assert graph.status == "ok"
    assert bundle.manifest.tiles is not None
    assert any("images are scored as wholes" in one for one in heard)
    with load(tmp_path / "bundle", device="cpu") as model:
        for prediction in model.predict(sorted((labelled / "images").iterdir())):
            with Image.open(str(prediction.path)) as image:
                pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None] / 255
            wanted = net(pixels).argmax(1)[0].numpy()  # which looks at no neighbours
            assert (prediction.mask == wanted).mean() > 0.99
