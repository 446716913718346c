"""lit_export.tasks.image_to_image: what modules answer for pictures, and PSNR."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

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
from lit_infer.images.resizing import Letterbox
from lit_infer.manifest import CenterCrop, DeploymentFacts, Normalize, Resize, Scale, Step
from lit_infer.tasks import TASKS as RUNTIME
from tests.support.targets import target_for

TASK = TASKS["image-to-image"]
SIZE = (8, 12)
HALF = Normalize(mean=(0.5, 0.4, 0.3), std=(0.5, 0.25, 0.2))


class Net(nn.Module):
    """The image, and what is made of it."""

    def __init__(self, ending: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.ending = ending
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, images: Tensor) -> Any:
        return self.ending(images * self.scale)


class Reconstructed(NamedTuple):
    loss: Tensor
    codes: Tensor
    recon_x: Tensor


def facts(**changes: Any) -> DeploymentFacts:
    steps = changes.pop("preprocess", (Step(resize=Resize(size=SIZE)),))
    return DeploymentFacts(task="image-to-image", preprocess=steps, **changes)


def shares(found: Any) -> Any:
    """The example from 0 to 1, [batch, 3, 8, 12]."""
    return found.example[0].transpose(0, 3, 1, 2).astype(np.float32) / 255


@pytest.mark.parametrize(
    ("ending", "more", "expected"),
    [
        (lambda x: x, {}, "0..1"),
        (lambda x: x, {"normalize": HALF}, "normalized"),
        (lambda x: x, {"scale": Scale(by=1.0)}, "0..255"),
        (lambda x: x * 2 - 1, {"answers": {"range": "-1..1"}}, "-1..1"),
    ],
    ids=["0..1", "normalized", "0..255", "-1..1"],
)
def test_in_the_graph_black_is_0_and_white_1_whatever_the_module_has(ending: Any, more: Any, expected: str) -> None:
    found = target_for(Net(ending).eval(), facts(**more))

    assert found.facts.answers == {"range": expected, "size": "original"}
    np.testing.assert_allclose(answers(found.module, found.example)[0], shares(found), atol=1e-5)
    assert (found.outputs[0].name, found.outputs[0].shape) == ("image", ("batch", 3, *SIZE))
    assert any(f"values are taken for {expected}, " in one for one in found.assumed)


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        (torch.sigmoid, "0..1, since it ends in a sigmoid"),
        (torch.tanh, "-1..1, since it ends in a tanh"),
        (lambda x: x.mean(1, keepdim=True) * 50, "values, since it makes 1 of 3 channels"),
        (lambda x: x.mean(1) * 50, "values, since it makes 1 of 3 channels"),
        (lambda x: x[:, :2], "values, since no picture has 2 channels"),
    ],
    ids=["sigmoid", "tanh", "depths", "depths without channels", "flow"],
)
def test_what_the_numbers_are_is_found_out_and_said(ending: Any, expected: str) -> None:
    found = target_for(Net(ending).eval(), facts())

    assert any(expected in one for one in found.assumed)


@pytest.mark.parametrize(
    ("ending", "name"),
    [
        (lambda x: (x.mean(), x), "output_1"),
        (lambda x: Reconstructed(x.mean(), x.mean((2, 3)), x), "recon_x"),
        (lambda x: {"features": x[:, :, ::2, ::2], "reconstruction": x}, "reconstruction"),
        (lambda x: SimpleNamespace(logits=x), "logits"),
    ],
    ids=["loss first", "named tuple", "several heads", "object"],
)
def test_of_several_outputs_the_picture_is_taken_and_the_others_named(ending: Any, name: str) -> None:
    found = target_for(Net(ending).eval(), facts())

    np.testing.assert_allclose(answers(found.module, found.example)[0], shares(found), atol=1e-6)
    if name != "logits":
        assert any(f"outputs {name} is taken, and " in one for one in found.warnings)


def test_another_output_can_be_named() -> None:
    net = Net(lambda x: {"clean": x, "noise": 1 - x}).eval()

    first = target_for(net, facts())
    assert any(
        "clean is taken, and noise left out. To take another: --outputs image=noise" in w for w in first.warnings
    )
    found = target_for(net, facts(answers={"output": "noise"}))
    np.testing.assert_allclose(answers(found.module, found.example)[0], 1 - shares(found), atol=1e-6)
    with pytest.raises(UsageError, match=r"nothing called other; it answers clean \[2, 3, 8, 12\], noise"):
        target_for(net, facts(answers={"output": "other"}))


@pytest.mark.parametrize(
    ("steps", "size", "said"),
    [
        ((Step(resize=Resize(size=SIZE)),), "original", "2 times the size of its input, and are fitted back"),
        ((Step(center_crop=CenterCrop(size=SIZE)),), "scaled", "2 times the sides of the image as it was"),
    ],
    ids=["resized", "cropped"],
)
def test_how_large_pictures_become_follows_from_the_preprocessing(steps: Any, size: str, said: str) -> None:
    found = target_for(Net(lambda x: x.repeat(1, 1, 2, 2)).eval(), facts(preprocess=steps))

    assert found.facts.answers["size"] == size
    assert found.outputs[0].shape == ("batch", 3, 16, 24)
    assert any(said in one for one in found.assumed)


@pytest.mark.parametrize(
    ("ending", "more", "message"),
    [
        (lambda x: x[:, :, 1:-1, 1:-1], {}, "answers 6 x 10 for images of 8 x 12, no whole multiple or fraction"),
        (lambda x: x.repeat(1, 1, 1, 2), {}, "answers 8 x 24 for images of 8 x 12"),
        (
            lambda x: (x.mean(), x.mean((2, 3))),
            {},
            r"none of the module's outputs is what .* needs: output_0 \[\]",
        ),
        (lambda x: x.mean((2, 3)), {}, r"answers \[batch, channels, height, width\] for a batch"),
        (lambda x: x * 200, {}, "for noise, and its input is from 0 to 1: what its values mean is open"),
        (
            lambda x: x[:, :2],
            {"answers": {"range": "0..1"}},
            "has 1, 3 or 4 channels, and the module answers 2",
        ),
        (lambda x: x, {"answers": {"range": "normalized"}}, "range: normalized needs a normalize"),
    ],
    ids=["cut", "one side", "no picture", "a vector", "no range", "no picture's channels", "no mean"],
)
def test_what_has_no_certain_place_or_meaning_is_refused(ending: Any, more: Any, message: str) -> None:
    with pytest.raises((UsageError, GateError, ValueError), match=message):
        target_for(Net(ending).eval(), facts(**more))


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Noisy pictures of odd sizes, and the clean ones."""
    generator = np.random.default_rng(0)
    for index, (width, height) in enumerate([(30, 20), (17, 41), (64, 64)]):
        waves = 120 + 80 * np.sin(np.arange(width) / 4)[None, :, None] * np.ones((height, 1, 3))
        for name, noise in (("inputs", 20.0), ("targets", 0.0)):
            (tmp_path / "data" / name).mkdir(parents=True, exist_ok=True)
            made = np.clip(waves + generator.normal(0, noise or 1e-9, waves.shape), 0, 255).astype(np.uint8)
            Image.fromarray(made).save(tmp_path / "data" / name / f"{index}.png")
    return tmp_path / "data"


def test_psnr_and_ssim_are_those_of_torchmetrics_on_the_images_as_they_were(pairs: Path) -> None:
    from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

    found = target_for(Net(lambda x: x).eval(), facts(preprocess=(Step(letterbox=Letterbox(size=(24, 36))),)))
    assert TASK.score is not None
    items = list(TASK.score.labelled(Question(pairs, None, 0)))

    values = score.of_positions(found, items, TASK.score)

    expected = []
    read = RUNTIME["image-to-image"].read
    for path, target in items:
        from lit_infer.answering import with_way
        from lit_infer.images import prepare_noted
        from lit_infer.tasks import Ask

        pixels, _, _, size = prepare_noted(path, steps=found.facts.preprocess, channels=3)
        ask = with_way(Ask(), size, found.facts.preprocess)
        (made,) = read(answers(found.module, (pixels[None],)), [ask], found.reading)
        pair = [torch.from_numpy(one / np.float32(255)).permute(2, 0, 1)[None] for one in (made.image, target)]  # type: ignore[union-attr]
        ssim: Any = structural_similarity_index_measure(*pair, data_range=1.0)
        expected.append((float(peak_signal_noise_ratio(*pair, data_range=1.0)), float(ssim)))
    assert [values["PSNR"], values["SSIM"]] == pytest.approx(np.mean(expected, 0).tolist(), rel=1e-5)


def test_a_target_of_another_size_is_refused_with_both_sizes(pairs: Path) -> None:
    found = target_for(Net(lambda x: x.repeat(1, 1, 2, 2)).eval(), facts(answers={"size": "scaled"}))
    assert TASK.score is not None
    items = TASK.score.labelled(Question(pairs, None, 0))

    with pytest.raises(UsageError, match="a picture is 60 x 40 with 3 channels, and its target 30 x 20 with 3"):
        score.of_positions(found, items, TASK.score)


@pytest.mark.slow
def test_a_bundle_answers_as_the_module_and_is_gated_by_psnr(pairs: Path, tmp_path: Path) -> None:
    net = Net(lambda x: nn.functional.avg_pool2d(x, 3, 1, 1)).eval()
    spec = tmp_path / "spec.yaml"
    spec.write_text("task: image-to-image\npreprocess: [letterbox: {size: [32, 32]}]\n")

    bundle = export(net, out=tmp_path / "bundle", options=Options(spec=spec, data=pairs, images=pairs / "inputs"))

    (graph,) = bundle.manifest.graphs
    assert graph.parity is not None
    assert graph.parity.agreement == pytest.approx(1, abs=1e-3)
    assert graph.score is not None
    assert (graph.score.metric, graph.score.images, list(graph.score.also)) == ("PSNR", 3, ["SSIM"])
    assert graph.score.value == pytest.approx(graph.score.eager, rel=1e-4)
    with load(tmp_path / "bundle", device="cpu") as model:
        for prediction in model.predict(sorted((pairs / "inputs").iterdir())):
            with Image.open(str(prediction.path)) as image:
                assert prediction.answer.image.shape == (image.height, image.width, 3)
