"""lit_export.module: from a checkpoint to the module that is deployed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from lit_export.checkpoint import open_checkpoint
from lit_export.module import Classifier, find_class, load_module
from lit_infer import images
from lit_infer.errors import ArtifactError, UsageError
from lit_infer.manifest import DeploymentFacts, Normalize
from lit_trainer.data import DigitsDataModule
from tests.export import foreign

Save = Callable[[foreign.pl.LightningModule], Path]


def test_a_class_of_lit_trainer_is_found_by_the_checkpoint_and_is_in_eval_mode(digits_checkpoint: Path) -> None:
    module = load_module(open_checkpoint(artifact=None, checkpoint=digits_checkpoint), class_path=None)
    assert type(module).__name__ == "DigitsCNN"
    assert module.hparams["width"] == 8
    assert not any(part.training for part in module.modules())


@pytest.mark.parametrize("separator", [":", "."])
def test_a_foreign_class_is_given_by_the_caller(save: Save, separator: str) -> None:
    checkpoint = open_checkpoint(artifact=None, checkpoint=save(foreign.Plain(classes=5)))
    module = load_module(checkpoint, class_path=f"tests.export.foreign{separator}Plain")
    assert isinstance(module, foreign.Plain)
    assert module.hparams["classes"] == 5


def test_a_foreign_class_in_a_checkpoint_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hostile_module.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    facts = {"task": "image-classification", "class_path": "hostile_module.Net"}
    torch.save({"state_dict": {}, "lit_deploy": {"deployment": facts}}, tmp_path / "x.ckpt")
    with pytest.raises(UsageError, match=r"--class hostile_module\.Net"):
        load_module(open_checkpoint(artifact=None, checkpoint=tmp_path / "x.ckpt"), class_path=None)


def test_an_instantiator_in_a_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    torch.save({"state_dict": {}, "hyper_parameters": {"_instantiator": "os.system"}}, path)
    with pytest.raises(ArtifactError, match="instantiator"):
        load_module(open_checkpoint(artifact=None, checkpoint=path), class_path="tests.export.foreign:Plain")


def test_a_checkpoint_of_another_class_is_explained(save: Save) -> None:
    checkpoint = open_checkpoint(artifact=None, checkpoint=save(foreign.Plain()))
    with pytest.raises(ArtifactError, match="does not fit DigitsCNN"):
        load_module(checkpoint, class_path="lit_trainer.modules:DigitsCNN")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("Plain", "expected pkg.mod:Cls"),
        ("no_such_package.model:Net", "no module 'no_such_package'"),
        ("tests.export.foreign:Nobody", "has no Nobody"),
        ("tests.export.foreign:NotAModule", "not a LightningModule"),
    ],
)
def test_a_wrong_class_path_is_explained(path: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        find_class(path)


def test_the_graph_sees_the_very_tensor_that_training_saw(tmp_path: Path) -> None:
    """Host preprocessing and the graph's normalisation together are the evaluation transform, bit for bit."""
    data = DigitsDataModule()
    facts = data.deployment_facts
    generator = np.random.default_rng(3)
    for height, width in [(8, 8), (1, 1), (16, 16), (33, 7), (120, 95)]:
        picture = Image.fromarray(generator.integers(0, 256, (height, width), dtype=np.uint8))
        prepared = images.prepare(picture, steps=facts.preprocess, channels=facts.channels)
        seen: list[torch.Tensor] = []
        spy = nn.Identity()
        spy.register_forward_pre_hook(lambda _, args, into=seen: into.append(args[0]))
        Classifier(spy, facts).eval()(torch.from_numpy(prepared[None].copy()))
        assert torch.equal(seen[0][0], data.eval_transform(picture))


def test_rgb_channels_keep_their_order_and_their_own_mean() -> None:
    facts = DeploymentFacts(task="image-classification", normalize=Normalize(mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 2.0)))
    seen: list[torch.Tensor] = []
    spy = nn.Identity()
    spy.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    Classifier(spy, facts)(torch.tensor([[[[255, 0, 255]]]], dtype=torch.uint8))
    assert seen[0].flatten().tolist() == [1.0, -1.0, 0.0]
