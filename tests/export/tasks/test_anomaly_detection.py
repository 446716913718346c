"""lit_export.tasks.anomaly_detection: what modules answer for anomalies, their thresholds, and AUROC."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from lit_export import export
from lit_export.labelled import Question
from lit_export.options import Options
from lit_export.tasks import TASKS, answers
from lit_export.tasks.anomaly_detection import best_threshold, threshold_of
from lit_infer import load
from lit_infer.errors import GateError, NotFoundError, UsageError
from lit_infer.folder.anomaly_folder import AnomalyTruth
from lit_infer.manifest import DeploymentFacts, Resize, Step
from lit_infer.tasks import TASKS as RUNTIME
from lit_infer.tasks.anomaly_detection import Anomaly
from tests.support.targets import target_for

TASK = TASKS["anomaly-detection"]
SIZE = (8, 12)


class Net(nn.Module):
    """How red an image is, and what is made of that."""

    def __init__(self, ending: Callable[[Tensor], Any], **more: Any) -> None:
        super().__init__()
        self.ending = ending
        self.scale = nn.Parameter(torch.tensor(1.0))
        for name, value in more.items():
            setattr(self, name, value)

    def forward(self, images: Tensor) -> Any:
        return self.ending(images * self.scale)


class Inference(NamedTuple):
    """As anomalib's."""

    pred_score: Tensor | None
    pred_label: Tensor | None
    anomaly_map: Tensor | None
    pred_mask: Tensor | None


def as_anomalib(images: Tensor) -> Inference:
    red = images[:, :1]
    score = red.amax((1, 2, 3))
    return Inference(score, score > 0.5, red, red > 0.5)


def facts(**stated: Any) -> DeploymentFacts:
    steps = (Step(resize=Resize(size=SIZE)),)
    return DeploymentFacts(task="anomaly-detection", preprocess=steps, answers=stated)


def red(found: Any) -> Any:
    return found.example[0][:, None, :, :, 0].astype(np.float32) / 255


@pytest.mark.parametrize(
    ("ending", "has_map"),
    [
        (as_anomalib, True),
        (lambda x: {"features": x.mean((2, 3)), "anomaly_map": x[:, 0], "score": x[:, 0].amax((1, 2))}, True),
        (lambda x: (x[:, :1].amax((1, 2, 3)), x[:, :1]), True),
        (lambda x: x[:, :1], True),
        (lambda x: x[:, 0].amax((1, 2)), False),
        (lambda x: x[:, 0].amax((1, 2))[:, None], False),
    ],
    ids=["anomalib's", "a dict", "a pair", "a map", "a score", "a column"],
)
def test_scores_and_maps_are_told_apart_by_name_and_shape(ending: Any, has_map: bool) -> None:
    found = target_for(Net(ending).eval(), facts(threshold=0.5))

    given = answers(found.module, found.example)
    assert [one.name for one in found.outputs] == ["score", "map"][: 1 + has_map]
    assert [one.shape for one in found.outputs] == [("batch",), ("batch", 1, *SIZE)][: 1 + has_map]
    np.testing.assert_allclose(given[0], red(found).max((1, 2, 3)), rtol=1e-6)
    if has_map:
        np.testing.assert_allclose(given[1], red(found), rtol=1e-6)


def test_what_was_taken_and_what_left_out_is_said() -> None:
    found = target_for(Net(as_anomalib).eval(), facts(threshold=0.5))
    (said,) = found.warnings
    assert said == (
        "pred_score and anomaly_map are taken; pred_label, pred_mask left out; above 0.5 an image is anomalous, as was "
        "said"
    )
    (alone,) = target_for(Net(lambda x: x[:, :1]).eval(), facts(threshold=0.5, score="mean")).warnings
    assert "the score is the mean of the map (answers: {score: max | mean})" in alone


def test_the_error_of_a_reconstruction_is_a_map_where_that_is_said() -> None:
    found = target_for(Net(lambda x: (x.mean(), x * 0.5)).eval(), facts(threshold=0.5, reconstruction=True))

    images = found.example[0].transpose(0, 3, 1, 2).astype(np.float32) / 255
    expected = ((images / 2) ** 2).mean(1, keepdims=True)
    score, made = answers(found.module, found.example)
    np.testing.assert_allclose(made, expected, rtol=1e-5)
    np.testing.assert_allclose(score, expected.max((1, 2, 3)), rtol=1e-5)
    with pytest.raises(GateError, match=r"answers output_0 \[\], output_1 \[2, 3, 8, 12\]: no score"):
        target_for(Net(lambda x: (x.mean(), x * 0.5)).eval(), facts(threshold=0.5))
    with pytest.raises(UsageError, match="reconstruction: the module answers nothing of the shape of its input"):
        target_for(Net(lambda x: x[:, :1]).eval(), facts(threshold=0.5, reconstruction=True))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"threshold": torch.tensor(0.25)}, (0.25, "from its threshold")),
        ({"threshold": torch.tensor(float("nan")), "image_threshold": 3}, (3.0, "from its image_threshold")),
        ({"threshold": torch.tensor([0.1, 0.2])}, None),
        (
            {
                "post_processor": SimpleNamespace(
                    enable_normalization=True,
                    image_min=torch.tensor(0.0),
                    image_threshold=torch.tensor(14.0),
                    normalized_image_threshold=torch.tensor(0.4),
                )
            },
            (pytest.approx(0.4), "from its post_processor.normalized_image_threshold"),
        ),
        (
            {
                "post_processor": SimpleNamespace(
                    enable_normalization=True,
                    image_min=torch.tensor(float("nan")),
                    image_threshold=torch.tensor(14.0),
                    normalized_image_threshold=torch.tensor(0.4),
                )
            },
            (14.0, "from its post_processor.image_threshold"),
        ),
    ],
    ids=["a buffer", "NaN", "several", "anomalib's, shifted", "anomalib's, as it is"],
)
def test_a_threshold_is_read_from_the_module(more: Any, expected: Any) -> None:
    assert threshold_of(Net(lambda x: x, **more)) == expected


def test_a_bundle_without_any_threshold_is_refused_with_the_ways_to_one(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text("task: anomaly-detection\npreprocess: [resize: {size: [8, 12]}]\n")

    with pytest.raises(UsageError, match="the module has no threshold"):
        export(Net(lambda x: x[:, :1]).eval(), out=tmp_path / "bundle", options=Options(spec=spec))


def test_auroc_and_f1_are_those_of_torchmetrics_and_the_best_threshold_has_the_best() -> None:
    from torchmetrics.functional.classification import binary_auroc, binary_f1_score

    generator = np.random.default_rng(0)
    truths = generator.integers(0, 2, 60)
    scores = np.round(generator.random(60) * 0.6 + truths * 0.3, 1).astype(np.float32)  # many are equal
    reading = RUNTIME["anomaly-detection"].reading(labels=None, answers={"threshold": 0.45}, size=None)
    assert TASK.score is not None

    values = scored(scores, truths, reading)

    made, known = torch.from_numpy(scores), torch.from_numpy(truths)
    assert values["AUROC"] == pytest.approx(float(binary_auroc(made, known)), abs=1e-6)
    assert values["F1"] == pytest.approx(float(binary_f1_score(made, known, threshold=0.45)), abs=1e-6)
    every = [float(binary_f1_score(made, known, threshold=at)) for at in np.arange(0.0, 1, 0.05)]
    threshold, f1 = best_threshold(scores, truths)
    assert values["best F1"] == f1 == pytest.approx(max(every), abs=1e-6)
    assert float(binary_f1_score(made, known, threshold=threshold)) == pytest.approx(f1, abs=1e-6)
    with pytest.raises(UsageError, match="all images are good"):
        scored(scores, np.zeros(60, int), reading)


def scored(scores: Any, truths: Any, reading: Any) -> dict[str, float]:
    """Of images of which nothing else is known."""
    assert TASK.score is not None
    assert TASK.score.counted is not None
    rows = [
        TASK.score.counted(Anomaly(float(score), None, None, None, None, None), int(truth), reading)
        for score, truth in zip(scores, truths, strict=True)
    ]
    return TASK.score.values(np.concatenate(rows), [], reading)


@pytest.mark.parametrize("facts", [{"threshold": 0.45}, {"threshold": 0.01}, {"threshold": 30.0, "low": -3.0}])
def test_pixel_auroc_is_that_of_torchmetrics_also_where_pixels_were_added_up(facts: Any) -> None:
    from torchmetrics.functional.classification import binary_auroc

    generator = np.random.default_rng(0)
    reading = RUNTIME["anomaly-detection"].reading(labels=None, answers=facts, size=None)
    masks = generator.random((6, 40, 50)) < 0.1
    maps = (generator.normal(0.5, 0.2, masks.shape) + 0.2 * masks).astype(np.float32)
    maps[:, :10] = 0.25  # many are equal
    score = TASK.score
    assert score is not None
    assert score.counted is not None
    assert score.merged is not None

    rows = []
    for number, (plane, mask) in enumerate(zip(maps, masks, strict=True)):
        answer = Anomaly(float(plane.max()), None, None, plane, 50, 40)
        rows.append(score.counted(answer, Known(number % 2 == 0, has_pixels=True, marked=mask), reading))
    apart = score.values(np.concatenate(rows), [], reading)
    merged = score.values(np.concatenate([score.merged(np.concatenate(rows[:4])), *rows[4:]]), [], reading)

    known = torch.from_numpy(masks.ravel().astype(int))
    expected = float(binary_auroc(torch.from_numpy(maps.ravel()), known))
    assert apart["pixel AUROC"] == pytest.approx(expected, abs=1e-4)
    assert merged == apart
    assert list(apart) == ["AUROC", "F1", "best F1", "pixel AUROC"]
    nothing = Known(is_anomalous=True, has_pixels=True, marked=np.zeros((40, 50), bool))
    good = score.counted(Anomaly(0.5, None, None, None, None, None), 0, reading)
    with pytest.raises(UsageError, match="the masks in ground_truth/ mark no pixel"):
        score.values(np.concatenate((good, score.counted(answer, nothing, reading))), [], reading)


@dataclass(frozen=True)
class Known(AnomalyTruth):
    """What is known of an image, without a file."""

    marked: Any = None

    def pixels(self, size: tuple[int, int]) -> Any:
        assert self.marked.shape == size
        return self.marked


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """As MVTec's: good ones, and two kinds of anomalies, of odd sizes."""
    for name, strength in {"good": 40, "crack": 160, "hole": 220}.items():
        for index, (width, height) in enumerate([(30, 20), (17, 41), (24, 24)]):
            pixels = np.full((height, width, 3), 30, np.uint8)
            pixels[5:12, 4:12, 0] = strength + index
            (tmp_path / "data" / "test" / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / "data" / "test" / name / f"{index}.png")
    return tmp_path / "data"


@pytest.mark.parametrize("below", ["", "test"])
def test_folders_beside_the_good_ones_are_anomalies(folders: Path, below: str) -> None:
    assert TASK.score is not None

    items = list(TASK.score.labelled(Question(folders / below, None, 0)))

    assert [truth.is_anomalous for _, truth in items] == [True] * 3 + [False] * 3 + [True] * 3
    assert not any(truth.has_pixels for _, truth in items)
    with pytest.raises(NotFoundError, match="expected good/ with images, and a folder beside it"):
        TASK.score.labelled(Question(folders / "test" / "good", None, 0))


@pytest.mark.slow
def test_a_bundle_has_the_threshold_with_the_best_f1_and_calls_images_by_it(folders: Path, tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text("task: anomaly-detection\npreprocess: [letterbox: {size: [16, 16]}]\n")
    for path in sorted((folders / "test").glob("*/*.png")):
        if path.parent.name != "good":
            with Image.open(path) as image:
                marked = np.asarray(image)[:, :, 0] > 100
            mask = folders / "ground_truth" / path.parent.name / f"{path.stem}_mask.png"
            mask.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.uint8(marked) * 255).save(mask)
    options = Options(spec=spec, data=folders, thresholds_from=folders / "test", images=folders / "test" / "good")

    bundle = export(Net(as_anomalib).eval(), out=tmp_path / "bundle", options=options)

    (graph,) = bundle.manifest.graphs
    assert graph.score is not None
    assert (graph.score.metric, graph.score.value) == ("AUROC", 1.0)
    assert {name: graph.score.also[name] for name in ("F1", "best F1")} == {"F1": 1.0, "best F1": 1.0}
    assert 0.98 < graph.score.also["pixel AUROC"] <= 1  # at the edges of what is smaller in the model's images
    assert 0.2 < bundle.manifest.answers["threshold"] < 0.6
    with load(tmp_path / "bundle", device="cpu") as model:
        for prediction in model.predict(sorted((folders / "test").rglob("*.png"))):
            path = Path(str(prediction.path))
            with Image.open(path) as image:
                assert prediction.answer.map.shape == (image.height, image.width)
            assert prediction.answer.is_anomalous == (path.parent.name != "good")
