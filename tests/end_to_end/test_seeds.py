"""Modules as users write them, outside this project: from a plain Trainer with W&B to predictions, by the commands."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from lit_infer import load
from tests.conftest import ROOT
from tests.seeds.autoencoder import LitAutoEncoder
from tests.seeds.cifar import CifarNet
from tests.seeds.gan import GAN
from tests.seeds.mnist import MnistMLP
from tests.seeds.supervised import SupervisedSmallNet
from tests.support.warm import run_warm_in
from tests.wandb_double.fixture import environment
from tests.wandb_double.server import Double

pytestmark = pytest.mark.slow

EXPORTS = {
    "cifar": "CifarNet --class seeds.cifar:CifarNet --spec seeds/spec/colour.yaml",
    "mnist": "MnistMLP --class seeds.mnist:MnistMLP --spec seeds/spec/grey.yaml",
    "as given": "Supervised --class seeds.supervised:Supervised --spec seeds/spec/colour.yaml",
    "built in": "Supervised --class seeds.supervised:SupervisedSmallNet --spec seeds/spec/colour.yaml",
    "by factory": "Supervised --factory seeds.make:supervised --spec seeds/spec/colour.yaml",
    "embedding": "LitAutoEncoder --class seeds.autoencoder:LitAutoEncoder --spec seeds/spec/embedding.yaml",
    "encoder": "LitAutoEncoder --class seeds.autoencoder:LitAutoEncoder --submodule encoder --input 784",
    "decoder": "LitAutoEncoder --class seeds.autoencoder:LitAutoEncoder --submodule decoder --input 3",
    "generator": "GAN --class seeds.gan:GAN --submodule generator --input 16",
    "sampling": "SamplingGAN --class seeds.gan:SamplingGAN --input 16",
}
"""Whose checkpoint, and the rest of the command."""


@dataclass(frozen=True)
class User:
    """A user's folder, a server, and what was trained there: by class, the run's id and the best checkpoint."""

    folder: Path
    double: Double
    runs: dict[str, tuple[str, Path]]

    def command(self, *line: str) -> "subprocess.CompletedProcess[str]":
        return run_warm_in(environment(self.double, self.folder / "homes" / line[-1]), list(line), self.folder)

    def export(self, name: str) -> "subprocess.CompletedProcess[str]":
        cls, *rest = EXPORTS[name].split()
        reference = f"user/proj/model-{self.runs[cls][0]}:best"
        return self.command("lit-export", "onnx", "--artifact", reference, *rest, "--out", f"bundles/{name}")

    def loaded(self, module: Any, name: str) -> Any:
        """The user's own module with the weights of the best checkpoint, in eval mode."""
        contents = torch.load(self.folder / self.runs[name][1], weights_only=True)
        module.load_state_dict(contents["state_dict"])
        return module.eval()


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """All of tests/seeds trained by one process that knows nothing of this project."""
    double = Double().start()
    folder = tmp_path_factory.mktemp("user")
    shutil.copytree(ROOT / "tests/seeds", folder / "seeds")
    done = run_warm_in(environment(double, folder / "home"), ["python", "-m", "seeds.train"], folder)
    assert done.returncode == 0, done.stderr
    printed = re.findall(r"^(\w+) (\w+) (\S+\.ckpt)$", done.stdout, re.MULTILINE)
    yield User(folder, double, {cls: (run, Path(best)) for cls, run, best in printed})
    double.close()
    assert double.unknown == []


@pytest.fixture(scope="module")
def exported(user: User) -> dict[str, "subprocess.CompletedProcess[str]"]:
    """What each command of EXPORTS said, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(EXPORTS, pool.map(user.export, EXPORTS), strict=True))


Said = dict[str, "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def images(user: User) -> Path:
    """Digits that training did not see, as grey PNG files of another size than the modules take."""
    folder = user.folder / "images"
    folder.mkdir()
    for index, digit in enumerate(load_digits().images[200:212]):
        Image.fromarray((digit * 15).astype(np.uint8)).resize((40, 50)).save(folder / f"{index:02d}.png")
    return folder


def pixels(images: Path, size: int, mode: str) -> torch.Tensor:
    """As the user's validation would read them: Pillow's resize, ToTensor, Normalize(0.5, 0.25)."""
    files = sorted(images.iterdir())
    arrays = [
        np.asarray(Image.open(path).convert(mode).resize((size, size), Image.Resampling.BILINEAR)) for path in files
    ]
    stacked = torch.from_numpy(np.stack(arrays).astype(np.float32) / 255)
    stacked = stacked[:, None] if mode == "L" else stacked.permute(0, 3, 1, 2).contiguous()
    return (stacked - 0.5) / 0.25


@pytest.mark.parametrize("name", [name for name in EXPORTS if name not in ("as given", "sampling")])
def test_it_exports_from_its_artifact(exported: Said, name: str) -> None:
    assert exported[name].returncode == 0, exported[name].stderr
    assert "published as user/proj/model-" in exported[name].stderr


@pytest.mark.parametrize(
    ("name", "run", "module", "read_as"),
    [
        ("cifar", "CifarNet", CifarNet, (32, "RGB")),
        ("mnist", "MnistMLP", MnistMLP, (28, "L")),
        ("built in", "Supervised", SupervisedSmallNet, (32, "RGB")),
    ],
)
@pytest.mark.usefixtures("exported")
def test_a_classifier_answers_images_as_in_training(
    user: User, images: Path, name: str, run: str, module: Any, read_as: tuple[int, str]
) -> None:
    reference = f"user/proj/model-{user.runs[run][0]}-export:latest"
    done = user.command("lit-infer", "images/", "--model", reference, "--output", f"{name}.jsonl")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (user.folder / f"{name}.jsonl").read_text().splitlines()]
    with torch.no_grad():
        truth = torch.softmax(user.loaded(module(), run)(pixels(images, *read_as)), -1)
    assert [row["index"] for row in rows] == truth.argmax(-1).tolist()
    np.testing.assert_allclose([row["score"] for row in rows], truth.amax(-1), atol=1e-4)


@pytest.mark.usefixtures("exported")
def test_an_autoencoder_embeds_images(user: User, images: Path) -> None:
    done = user.command(
        "lit-infer", "images/", "--model", "bundles/embedding", "--output", "rows.jsonl", "--embeddings", "vectors.npy"
    )
    assert done.returncode == 0, done.stderr
    with torch.no_grad():
        truth = user.loaded(LitAutoEncoder(), "LitAutoEncoder")(pixels(images, 28, "L"))
    np.testing.assert_allclose(np.load(user.folder / "vectors.npy"), truth, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "run", "part", "width"),
    [
        ("encoder", "LitAutoEncoder", "encoder", 784),
        ("decoder", "LitAutoEncoder", "decoder", 3),
        ("generator", "GAN", "generator", 16),
    ],
)
@pytest.mark.usefixtures("exported")
def test_a_part_answers_as_it_does_in_its_module(user: User, name: str, run: str, part: str, width: int) -> None:
    module = user.loaded({"GAN": GAN, "LitAutoEncoder": LitAutoEncoder}[run](), run)
    given = torch.randn(5, width, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        truth = module.get_submodule(part)(given)
    model = load(user.folder / "bundles" / name)
    (answer,) = model.run({model.manifest.inputs[0].name: given.numpy()}).values()
    np.testing.assert_allclose(answer, truth, atol=1e-5 * float(truth.abs().max()))


def test_a_module_made_of_objects_is_refused_with_the_way_that_works(exported: Said) -> None:
    """Those of "built in" and "by factory" above."""
    said = exported["as given"]
    assert said.returncode == 2
    assert "Traceback" not in said.stderr
    assert "Supervised needs model, criterion" in said.stderr
    assert "--factory make:module" in said.stderr
    assert "return Supervised(model=..., criterion=..., lr=lr)" in said.stderr
    assert "--hparam" not in said.stderr


def test_a_forward_that_takes_nothing_is_refused_with_the_part_to_export(exported: Said) -> None:
    """That of "generator" above."""
    said = exported["sampling"]
    assert said.returncode == 2
    assert "Traceback" not in said.stderr
    assert "SamplingGAN.forward takes no input" in said.stderr
    assert re.search(r"--submodule PATH --input SHAPE. Its parts:\s+generator", said.stderr)
