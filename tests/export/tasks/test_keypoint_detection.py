"""lit_export.tasks.keypoint_detection: points in pixels, heatmaps as they are, PCK, and the way back."""

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
from lit_infer import load, progress
from lit_infer.errors import UsageError
from lit_infer.images.mapping import to_original
from lit_infer.manifest import DeploymentFacts, Resize, Step
from lit_infer.tasks.keypoint_detection import located
from tests.support.targets import target_for

TASK = TASKS["keypoint-detection"]
SIZE = (32, 48)
NAMES = ("red", "green", "blue")


class Strongest(nn.Module):
    """A heatmap of half the size for each of red, green and blue, and what `ending` makes of them."""

    def __init__(self, ending: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.ending = ending
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, images: Tensor) -> Any:
        return self.ending(nn.functional.avg_pool2d(images, 2) * self.scale)


def shares(maps: Tensor) -> Tensor:
    """The mean position of each map, as shares of the sides."""
    height, width = maps.shape[2:]
    weights = maps / maps.sum((2, 3), keepdim=True)
    x = (weights.sum(2) * (torch.arange(width) + 0.5) / width).sum(-1)
    y = (weights.sum(3) * (torch.arange(height) + 0.5) / height).sum(-1)
    return torch.stack((x, y), -1)


SIDES = torch.tensor([SIZE[1], SIZE[0]], dtype=torch.float32)


def facts(**changes: Any) -> DeploymentFacts:
    return DeploymentFacts(
        task="keypoint-detection", preprocess=(Step(resize=Resize(size=SIZE)),), labels=NAMES, **changes
    )


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        (shares, {}),
        (lambda maps: shares(maps) * SIDES, {}),
        (lambda maps: shares(maps) * 2 - 1, {"positions": "signed"}),
        (lambda maps: shares(maps).flip(-1), {"numbers": ["y", "x"], "positions": "relative"}),
        (lambda maps: shares(maps).flatten(1), {"numbers": ["x", "y"]}),
        (lambda maps: shares(maps).transpose(1, 2).flatten(1), {"numbers": ["x", "y"], "flat": "numbers"}),
    ],
    ids=["shares", "pixels", "signed", "y first", "flat", "flat, by number"],
)
def test_points_are_in_pixels_whatever_the_module_answers(
    ending: Callable[[Tensor], Any], said: dict[str, Any]
) -> None:
    found = target_for(Strongest(ending).eval(), facts(answers=said))

    (points,) = answers(found.module, found.example)
    pixels = torch.from_numpy(found.example[0].astype(np.float32) / 255).permute(0, 3, 1, 2)
    expected = shares(nn.functional.avg_pool2d(pixels, 2)) * SIDES
    np.testing.assert_allclose(points, expected.numpy(), atol=1e-3)
    (output,) = found.outputs
    assert (output.name, output.shape) == ("points", ("batch", 3, 2))
    assert any("positions are taken for" in one for one in found.assumed)
    assert {"numbers", "positions"} <= set(found.facts.answers)
    np.testing.assert_allclose(located(points, found.reading)[..., :2], points)


@pytest.mark.parametrize(("logits", "scores"), [(True, "sigmoid"), (False, "as_given")])
def test_scores_are_made_probabilities_if_they_are_none(logits: bool, scores: str) -> None:
    def ending(maps: Tensor) -> dict[str, Tensor]:
        most = maps.amax((2, 3))
        return {"keypoints": shares(maps), "scores": most * 8 - 4 if logits else most}

    found = target_for(Strongest(ending).eval(), facts())

    (points,) = answers(found.module, found.example)
    assert points.shape[1:] == (3, 3)
    assert ((points[..., 2] >= 0) & (points[..., 2] <= 1)).all()
    assert found.facts.answers["scores"] == scores
    assert found.facts.answers["numbers"] == ["x", "y", "score"]


@pytest.mark.parametrize("scores", ["as_given", "sigmoid", "softmax"])
def test_heatmaps_stay_heatmaps_of_scores(scores: str) -> None:
    said = {} if scores == "as_given" else {"scores": scores}

    found = target_for(Strongest(lambda maps: maps).eval(), facts(answers=said))

    (output,) = found.outputs
    assert (output.name, output.shape) == ("heatmaps", ("batch", 3, 16, 24))
    (maps,) = answers(found.module, found.example)
    own = torch.nn.functional.avg_pool2d(torch.from_numpy(found.example[0] / 255.0).permute(0, 3, 1, 2), 2).float()
    made = {"as_given": own, "sigmoid": own.sigmoid(), "softmax": own.flatten(2).softmax(-1).reshape(own.shape)}[scores]
    np.testing.assert_allclose(maps, made.numpy(), rtol=1e-4, atol=1e-6)
    expected = {"scores": scores, "peak": "argmax", "cell": "centre", "stride": [2.0, 2.0]}
    assert found.facts.answers == expected


@pytest.mark.parametrize(
    ("ending", "said", "message"),
    [
        (lambda maps: shares(maps) * 3 - 2, {}, "they may be shares of the sides"),
        (lambda maps: shares(maps).flatten(1), {}, r"answers: \{numbers: \[x, y\]\}"),
        (lambda maps: shares(maps)[:, :2], {}, "3 labels are given and the model has 2 points"),
        (lambda maps: maps - 0.5, {"peak": "soft_argmax"}, r"\{scores: softmax\} or \{scores: sigmoid\}"),
        (lambda maps: maps, {"positions": "pixels"}, "numbers, flat and positions are of points"),
        (shares, {"scores": "softmax"}, "softmax is over the cells of heatmaps"),
        (shares, {"skeleton": [["red", "pink"]]}, "skeleton: pink is no point of red, green, blue"),
        (shares, {"peek": 1}, "peek"),
        (
            lambda maps: (shares(maps), maps.amax((2, 3)) * 9),
            {"scores": "as_given"},
            "declared as given, but the module answers from",
        ),
    ],
)
def test_what_is_not_certain_is_asked(ending: Callable[[Tensor], Any], said: dict[str, Any], message: str) -> None:
    with pytest.raises((UsageError, ValueError), match=message):
        target_for(Strongest(ending).eval(), facts(answers=said))


PREPARED = {
    "pair": ("{resize: {size: [32, 48]}}", "points"),
    "letterbox": ("{letterbox: {size: [32, 48]}}", "quarter_offset"),
    "crop": ("{center_crop: {size: [32, 48]}}", "soft_argmax"),
    "pad": ("{resize: {size: [24, 48]}}, {pad: {amounts: [3, 5, 1, 3]}}", "quarter_offset"),
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of odd sizes, each with a red, a green and a blue square, and where their middles are."""
    folder = tmp_path_factory.mktemp("pictures")
    lines = ["file_name,red_x,red_y,green_x,green_y,blue_x,blue_y"]
    for index, (width, height) in enumerate([(61, 43), (83, 90), (48, 32)]):
        pixels = np.full((height, width, 3), 20, np.uint8)
        cells = [str(index) + ".png"]
        for channel, (across, down) in enumerate([(0.45, 0.45), (0.55, 0.4), (0.5, 0.6)]):
            left, top = round(width * across) - 3, round(height * down) - 3
            pixels[top : top + 6, left : left + 6, channel] = 255
            cells += [str(left + 3), str(top + 3)]
        Image.fromarray(pixels).save(folder / f"{index}.png")
        lines.append(",".join(cells))
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
    return folder


def spec(folder: Path, steps: str, answers_: str = "") -> Path:
    path = folder / "spec.yaml"
    path.write_text(
        f"task: keypoint-detection\npreprocess: [{steps}]\nlabels: [red, green, blue]\nanswers: {{{answers_}}}\n"
    )
    return path


@pytest.mark.slow
@pytest.mark.parametrize("how", list(PREPARED))
def test_a_bundle_s_points_are_the_module_s_own_in_the_image_as_it_was(
    how: str, pictures: Path, tmp_path: Path
) -> None:
    steps_, peak = PREPARED[how]
    ending = (lambda maps: shares(maps**4)) if peak == "points" else (lambda maps: maps**4)
    net = Strongest(ending).eval()
    said = "" if peak == "points" else f"peak: {peak}"
    bundle = export(net, out=tmp_path / "bundle", options=Options(spec=spec(tmp_path, steps_, said)))
    assert bundle.manifest.graphs[0].parity is not None
    assert bundle.manifest.graphs[0].parity.agreement == 1
    steps = [step.value for step in bundle.manifest.preprocess]

    with load(tmp_path / "bundle", device="cpu") as model:
        paths = sorted(pictures.glob("*.png"))
        for path, prediction in zip(paths, model.predict(paths), strict=True):
            pixels = torch.tensor(model.prepare(path)).permute(2, 0, 1)[None] / 255
            height, width = pixels.shape[2:]
            with torch.no_grad():
                own = net(pixels)
            if peak == "quarter_offset":
                own = hrnet(own[0].numpy()) * 2
            else:
                own = (own if peak == "points" else shares(own))[0].numpy() * [width, height]
            with Image.open(path) as image:
                way = to_original(steps, *image.size).placement
            expected = (own - [way.shift_x, way.shift_y]) / [way.scale_x, way.scale_y]
            found = np.array([(one.x, one.y) for one in prediction.answer.points])
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-3)


def hrnet(maps: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """As HRNet's `get_final_preds` has it, in cells, whose middles the points are in."""
    found = []
    for one in maps:
        y, x = np.unravel_index(one.argmax(), one.shape)
        place = np.array([x, y], float)
        if 1 < x < one.shape[1] - 1 and 1 < y < one.shape[0] - 1:
            slopes = np.array([one[y, x + 1] - one[y, x - 1], one[y + 1, x] - one[y - 1, x]])
            place += np.sign(slopes) * 0.25
        found.append(place + 0.5)
    return np.array(found)


def test_the_score_on_data_is_of_points_in_the_images_as_they_were(pictures: Path) -> None:
    found = target_for(Strongest(lambda maps: maps).eval(), facts())
    assert TASK.score is not None

    said: list[str] = []
    with progress.listening(progress.Listener(note=said.append)):
        values = score.of_positions(found, TASK.score.labelled(Question(pictures, NAMES, 3)), TASK.score)

    assert said == ["PCK: distances are shares of the longer side of the image"]
    assert values == {"PCK@0.1": 1.0, "PCK@0.2": 1.0}
    wrong = target_for(Strongest(lambda maps: maps.flip(1)).eval(), facts())
    assert score.of_positions(wrong, TASK.score.labelled(Question(pictures, NAMES, 3)), TASK.score)["PCK@0.1"] < 0.7
