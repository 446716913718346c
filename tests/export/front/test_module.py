"""lit_export.front.module: from a checkpoint to the module that is deployed."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from lit_export import Options, export
from lit_export.front.checkpoint import open_checkpoint
from lit_export.front.find_class import find_class
from lit_export.front.hparams import parse_hparam
from lit_export.front.module import load_module, part
from lit_export.tasks.image_classification import Classifier
from lit_infer import images
from lit_infer.errors import ArtifactError, UsageError
from lit_infer.manifest import DeploymentFacts, Normalize
from lit_infer.progress import Listener, listening
from lit_trainer.data import DigitsDataModule
from tests.cases import modules
from tests.export import foreign, ways

Save = Callable[[foreign.pl.LightningModule], Path]


def test_a_class_of_lit_trainer_is_found_by_the_checkpoint_and_is_in_eval_mode(digits_checkpoint: Path) -> None:
    module = load_module(open_checkpoint(artifact=None, checkpoint=digits_checkpoint), Options())
    assert type(module).__name__ == "DigitsCNN"
    assert module.hparams["width"] == 8
    assert not any(part.training for part in module.modules())


@pytest.mark.parametrize("separator", [":", "."])
def test_a_foreign_class_is_given_by_the_caller(save: Save, separator: str) -> None:
    checkpoint = open_checkpoint(artifact=None, checkpoint=save(foreign.Plain(classes=5)))
    module = load_module(checkpoint, Options(class_path=f"tests.export.foreign{separator}Plain"))
    assert isinstance(module, foreign.Plain)
    assert module.hparams["classes"] == 5


def test_a_foreign_class_in_a_checkpoint_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hostile_module.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    facts = {"task": "image-classification", "class_path": "hostile_module.Net"}
    torch.save({"state_dict": {}, "lit_deploy": {"deployment": facts}}, tmp_path / "x.ckpt")
    with pytest.raises(UsageError, match=r"--class hostile_module\.Net"):
        load_module(open_checkpoint(artifact=None, checkpoint=tmp_path / "x.ckpt"), Options())


def test_an_instantiator_in_a_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    torch.save({"state_dict": {}, "hyper_parameters": {"_instantiator": "os.system"}}, path)
    with pytest.raises(ArtifactError, match="instantiator"):
        load_module(open_checkpoint(artifact=None, checkpoint=path), Options(class_path="tests.export.foreign:Plain"))


def test_a_checkpoint_of_another_class_is_explained(save: Save) -> None:
    checkpoint = open_checkpoint(artifact=None, checkpoint=save(foreign.Plain()))
    with pytest.raises(ArtifactError, match="does not fit DigitsCNN"):
        load_module(checkpoint, Options(class_path="lit_trainer.modules:DigitsCNN"))


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


def written(path: Path, contents: dict[str, Any]) -> Path:
    torch.save(contents, path)
    return path


def loaded(path: Path, cls: str | None, **options: Any) -> tuple[Any, str]:
    """The module and all that was said, as one text."""
    notes: list[str] = []
    with listening(Listener(note=notes.append)):
        checkpoint = open_checkpoint(artifact=None, checkpoint=path)
        class_path = f"tests.export.foreign:{cls}" if cls else None
        module = load_module(checkpoint, Options(class_path=class_path, **options))
    return module, "\n".join(notes)


def renamed(module: nn.Module, **changes: str) -> dict[str, Any]:
    state = module.state_dict()
    return {changes.get(key.split(".")[0], key.split(".")[0]) + key[key.index(".") :]: state[key] for key in state}


def test_an_unknown_class_names_the_nearest(save: Save) -> None:
    with pytest.raises(UsageError, match=r"Did you mean Needy"):
        find_class("tests.export.foreign:Neddy")


def test_a_module_that_fails_to_import_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_module.py").write_text("raise SystemExit('no')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match="importing broken_module failed: SystemExit: no"):
        find_class("broken_module:Net")


def test_a_trusted_package_is_followed_and_others_are_not(save: Save, tmp_path: Path) -> None:
    contents = torch.load(save(foreign.Plain()), weights_only=True)
    facts = {"task": "image-classification", "class_path": "tests.export.foreign.Plain"}
    path = written(tmp_path / "x.ckpt", {**contents, "lit_deploy": {"deployment": facts}})
    assert isinstance(loaded(path, None, trust=("tests",))[0], foreign.Plain)
    for trust in ((), ("test",), ("tests.exp",), ("",)):
        with pytest.raises(UsageError, match="--trust-package tests"):
            loaded(path, None, trust=trust)


def test_missing_arguments_are_named_and_given(tmp_path: Path) -> None:
    path = written(tmp_path / "x.pt", foreign.Needy(3).state_dict())
    with pytest.raises(UsageError, match=r"Needy needs classes.*\n.*--hparam classes=VALUE"):
        loaded(path, "Needy")
    assert loaded(path, "Needy", hparams={"classes": 3})[0](torch.ones(1, 4)).shape == (1, 3)


def test_an_argument_that_is_an_object_needs_a_subclass(tmp_path: Path) -> None:
    path = written(tmp_path / "x.pt", foreign.Needy(2).state_dict())
    with pytest.raises(UsageError, match=r"backbone cannot be given as text. One of these gives it:\n  --config FILE"):
        loaded(path, "NeedsAnObject")


def test_a_module_that_takes_nothing_is_refused_with_its_parts() -> None:
    class Sampler(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.generator = nn.Linear(2, 3)

        def forward(self) -> torch.Tensor:
            return self.generator(torch.randn(1, 2))

    for options in (Options(), Options(inputs=("2",))):
        with pytest.raises(UsageError, match=r"Sampler.forward takes no input.*\n.*--submodule.*generator"):
            export(Sampler(), ["onnx"], options=options)


def test_hparams_that_the_class_ignores_are_said(tmp_path: Path) -> None:
    contents = {"state_dict": foreign.Needy(3).state_dict(), "hyper_parameters": {"classes": 3, "old_flag": True}}
    _, said = loaded(written(tmp_path / "x.ckpt", contents), "Needy")
    assert "hparams the class ignores: old_flag" in said


def test_a_given_hparam_goes_first_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    contents = {"state_dict": foreign.Needy(3).state_dict(), "hyper_parameters": {"classes": 7}}
    path = written(tmp_path / "x.ckpt", contents)
    assert loaded(path, "Needy", hparams={"classes": 3})[0].hparams["classes"] == 3
    with pytest.raises(UsageError, match=r"--hparam clases: Needy takes no such argument. Did you mean classes"):
        loaded(path, "Needy", hparams={"clases": 3})


def test_hparams_that_are_one_dict_arrive_as_one(save: Save) -> None:
    path = save(foreign.OneDict({"width": 3}))
    module, _ = loaded(path, "OneDict")
    assert module.body.in_features == 3


@pytest.mark.parametrize("where", ["head._orig_mod", "_orig_mod.head", "model.head", "module._orig_mod.head"])
def test_prefixes_of_wrappers_are_stripped_and_said(tmp_path: Path, where: str) -> None:
    module = foreign.Nested()
    prefix = where.removesuffix("head").partition("head")[0]
    state = {
        (where if key.startswith("head") else f"{prefix}{key.partition('.')[0]}") + "." + key.partition(".")[2]: value
        for key, value in module.state_dict().items()
    }
    found, said = loaded(written(tmp_path / "x.ckpt", {"state_dict": state}), "Nested")
    assert all(torch.equal(found.state_dict()[key], value) for key, value in module.state_dict().items())
    assert "stripped" in said


def test_a_class_that_compiles_itself_is_loaded_and_unwrapped(tmp_path: Path) -> None:
    for state in (foreign.Nested().state_dict(), foreign.Compiled().state_dict()):
        module, said = loaded(written(tmp_path / "x.ckpt", {"state_dict": state}), "Compiled")
        assert torch.equal(module.head.weight, state.get("head.weight", state.get("head._orig_mod.weight")))
        assert "unwrapped torch.compile from head" in said


def test_keys_that_do_not_match_are_shown_with_their_nearest(tmp_path: Path) -> None:
    path = written(tmp_path / "x.ckpt", {"state_dict": renamed(foreign.Nested(), head="heads")})
    with pytest.raises(ArtifactError) as caught:
        loaded(path, "Nested")
    assert "head.weight (near: heads.weight)" in str(caught.value)
    assert "heads.weight (near: head.weight)" in str(caught.value)


def test_shapes_that_differ_are_shown_side_by_side(save: Save) -> None:
    with pytest.raises(ArtifactError, match=r"body.2.weight is \[5, 192\] in the file, \[3, 192\] in Plain"):
        loaded(save(foreign.Plain(classes=5)), "Plain", hparams={"classes": 3})


def test_the_modules_own_hook_is_called(tmp_path: Path) -> None:
    path = written(tmp_path / "x.ckpt", {"state_dict": renamed(foreign.Nested(), head="top")})
    assert isinstance(loaded(path, "RenamesWhenLoaded")[0], foreign.RenamesWhenLoaded)


def test_a_lenient_class_says_what_was_not_loaded(tmp_path: Path) -> None:
    path = written(tmp_path / "x.ckpt", {"state_dict": renamed(foreign.Nested(), head="top")})
    _, said = loaded(path, "Lenient")
    assert "left as the class made them: head.weight, head.bias" in said


def test_a_class_whose_code_fails_is_named_with_the_line(tmp_path: Path) -> None:
    path = written(tmp_path / "x.ckpt", {"state_dict": {}})
    with pytest.raises(ArtifactError, match=r"Raises.__init__ failed: KeyError: .*foreign.py:\d+"):
        loaded(path, "Raises")


def test_a_part_is_taken_and_an_unknown_one_named(tmp_path: Path) -> None:
    path = written(tmp_path / "x.ckpt", {"state_dict": foreign.Nested().state_dict()})
    module, _ = loaded(path, "Nested")
    assert isinstance(part(module, "encoder.backbone"), nn.Sequential)
    with pytest.raises(UsageError, match=r"Did you mean encoder.backbone"):
        part(module, "encoder.bakbone")


def test_a_plain_state_dict_is_the_weights_of_any_torch_module(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(artifact=None, checkpoint=written(tmp_path / "x.pt", nn.Linear(2, 3).state_dict()))
    module = load_module(
        checkpoint, Options(class_path="torch.nn:Linear", hparams={"in_features": 2, "out_features": 3})
    )
    assert isinstance(module, nn.Linear)


def test_lightning_clis_own_instantiator_is_not_needed(tmp_path: Path) -> None:
    hparams = {"classes": 3, "_instantiator": "lightning.pytorch.cli.instantiate_module", "_class_path": "os.system"}
    path = written(tmp_path / "x.ckpt", {"state_dict": foreign.Needy(3).state_dict(), "hyper_parameters": hparams})
    assert "LightningCLI" in loaded(path, "Needy")[1]


@pytest.mark.parametrize("key", ["class_path", "_target_"])
def test_an_hparam_that_names_code_is_refused_unless_trusted(tmp_path: Path, key: str) -> None:
    hparams = {"classes": 3, "width": [{key: "os.system", "init_args": {}}]}
    path = written(tmp_path / "x.ckpt", {"state_dict": {}, "hyper_parameters": hparams})
    with pytest.raises(UsageError, match=r"(?s)width \(it names code to run: os.system\).*--trust-package os "):
        loaded(path, "Needy")


@pytest.mark.parametrize(("text", "pair"), [("a=1", ("a", 1)), ("b=[x, 2]", ("b", ["x", 2])), ("c=", ("c", None))])
def test_an_hparam_is_a_key_and_yaml(text: str, pair: Any) -> None:
    assert parse_hparam(text) == pair


@pytest.mark.parametrize("text", ["a", "=1", "a b=1", "a=[1", "a=!!python/object/apply:os.system ['true']"])
def test_a_wrong_hparam_is_explained(text: str) -> None:
    with pytest.raises(UsageError, match="--hparam"):
        parse_hparam(text)


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


def of_case(cases: Path, name: str, **options: Any) -> tuple[Any, str]:
    """The module of a genuine checkpoint of tests.cases.modules, and what was said."""
    notes: list[str] = []
    with listening(Listener(note=notes.append)):
        checkpoint = open_checkpoint(artifact=None, checkpoint=cases / f"{name}.ckpt")
        return load_module(checkpoint, Options(**{"class_path": f"tests.cases.modules:{name}", **options})), "\n".join(
            notes
        )


def test_arguments_that_lightning_cli_recorded_beside_the_class_reach_it(cases: Path) -> None:
    module, _ = of_case(cases, "CliNet")
    rows = torch.randn(2, 6)

    assert torch.equal(module(rows), module.layer(rows) * 5)


def test_all_objects_of_a_class_are_named_together_and_each_cure_works(
    cases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError) as caught:
        of_case(cases, "Objects")
    message = str(caught.value)
    assert "Objects needs net (torch.nn.modules.container.Sequential), and " in message
    assert "net cannot be given as text. One of these gives it:" in message

    by_loading, _ = of_case(cases, "Objects", use_load_from_checkpoint=True)
    lines = [line[4:] for line in message.splitlines()[-3:]]
    net = "__import__('torch').nn.Sequential(*map(eval, ['nn.Linear(6, 8)', 'nn.ReLU()', 'nn.Linear(8, 3)']))"
    (tmp_path / "make_objects.py").write_text(
        "from torch import nn\n" + "\n".join(lines).replace("net=...", f"net={net}")
    )
    monkeypatch.syspath_prepend(tmp_path)
    by_factory, _ = of_case(cases, "Objects", class_path=None, factory="make_objects:module")
    rows = torch.randn(2, 6)
    assert torch.equal(by_loading(rows), by_factory(rows))


def test_numpy_numbers_paths_and_namespaces_are_data(cases: Path) -> None:
    module, said = of_case(cases, "Plain")

    assert (module.hparams["args"].depth, str(module.hparams["root"]), module.hparams["lr"]) == (2, "/data", 0.003)
    assert said == ""


def test_a_loss_that_is_made_in_setup_is_left_out_with_a_line(cases: Path) -> None:
    assert of_case(cases, "WeightedLoss")[1] == "left out, since they are a loss's or metric's: criterion.weight"


@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_the_hooks_of_both_packages_modules_are_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    cls = modules.hooked(importlib.import_module(package).LightningModule)
    monkeypatch.setattr(modules, "Hooked", cls, raising=False)
    contents = {"state_dict": cls().state_dict(), "scale": 7.5, "pytorch-lightning_version": "2.6.6"}

    path = written(tmp_path / "Hooked.ckpt", contents)
    module, _ = of_case(path.parent, "Hooked")

    assert module.scale == 7.5


def test_an_object_that_a_hook_keeps_disturbs_nothing_and_one_that_it_uses_is_named(tmp_path: Path) -> None:
    contents = {"state_dict": foreign.Nested().state_dict(), "loss_fn": nn.CrossEntropyLoss(), "mode": ways.Mode.TWICE}
    path = written(tmp_path / "x.ckpt", contents)

    module, _ = loaded(path, "KeepsWhatItSaved")
    assert module.mode is ways.Mode.TWICE
    with pytest.raises(ArtifactError, match=r"uses the checkpoint's loss_fn, an object \(torch.nn.modules.loss.Cross"):
        module.criterion(torch.ones(1, 2), torch.zeros(1))
    with pytest.raises(ArtifactError, match=r"uses the checkpoint's loss_fn"):
        loaded(path, "UsesWhatItSaved")
