"""lit_export.front.loaded: what is exported, wherever it comes from."""

from pathlib import Path
from typing import Any

import pytest
import torch

from lit_export.front.loaded import LoadedModule, load
from lit_export.options import Options
from lit_infer import artifacts, files
from lit_infer.errors import UsageError
from tests.export import foreign, ways


def loaded(source: Any, **options: Any) -> LoadedModule:
    return load(source, Options(**options))


def test_a_module_in_memory_is_copied_and_stays_as_it_is() -> None:
    module = foreign.Plain().train()

    found = loaded(module)

    assert module.training
    assert found.module is not module
    assert not any(part.training for part in found.module.modules())
    assert (found.name, found.class_path) == ("Plain", "tests.export.foreign.Plain")
    assert (found.reference, found.record, found.score, found.weights) == (None, None, None, "model")
    with torch.no_grad():
        module.body[2].weight.zero_()
    assert found.module.state_dict()["body.2.weight"].any()


def test_the_digest_of_a_module_in_memory_is_that_of_its_weights() -> None:
    module = foreign.Plain()
    before = loaded(module).digest

    assert loaded(module.train()).digest == loaded(foreign.Plain()).digest == before
    with torch.no_grad():
        module.body[2].bias[0] += 1
    assert loaded(module).digest != before
    assert loaded(foreign.Plain().half()).digest != before


def test_a_file_and_a_reference_to_it_give_the_same_module_and_where_it_came_from(
    digits_checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/model.ckpt").write_bytes(digits_checkpoint.read_bytes())
    artifacts.registry().publish(tmp_path / "folder", artifacts.parse("local/p/net"), type="model", aliases=["best"])

    by_path, by_name = loaded(digits_checkpoint), loaded(artifacts.parse("local/p/net:best"))

    assert by_path.digest == by_name.digest == files.sha256(digits_checkpoint)
    assert (by_path.name, by_name.name) == ("digits", "net")
    assert (by_path.reference, str(by_name.reference)) == (None, "local/p/net:v0")
    assert by_path.class_path == by_name.class_path == "lit_trainer.modules.digits_cnn.DigitsCNN"
    assert by_path.score is not None
    state = by_name.module.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in by_path.module.state_dict().items())


def test_a_part_is_taken_and_the_class_path_is_the_whole_s() -> None:
    found = loaded(foreign.Nested(), submodule="encoder.backbone")

    assert type(found.module).__name__ == "Sequential"
    assert found.class_path == "tests.export.foreign.Nested"


def test_what_a_factory_makes_alone_keeps_its_own_weights_which_are_its_identity() -> None:
    found = loaded(None, factory="tests.export.ways:alone")

    assert (found.name, found.class_path) == ("Net", "tests.export.ways.Net")
    assert not found.module.training
    assert found.digest == loaded(None, factory="tests.export.ways:alone").digest == loaded(found.module).digest


def test_what_a_factory_makes_for_a_checkpoint_gets_the_file_s_weights(tmp_path: Path) -> None:
    trained = ways.Net(5).state_dict()
    torch.save({"state_dict": trained}, tmp_path / "x.ckpt")

    found = loaded(tmp_path / "x.ckpt", factory="tests.export.ways:alone")

    assert found.digest == files.sha256(tmp_path / "x.ckpt")
    assert all(torch.equal(value, trained[key]) for key, value in found.module.state_dict().items())


def test_an_adapter_goes_around_the_module_or_its_part_and_the_class_path_stays_the_module_s() -> None:
    module = ways.Net()
    rows = torch.randn(2, 4)

    around = loaded(module, adapter="tests.export.ways:doubled")
    assert around.class_path == "tests.export.ways.Net"
    assert torch.equal(around.module(rows), module(rows) * 2)
    part = loaded(module, adapter="tests.export.ways:doubled", submodule="layer")
    assert torch.equal(part.module(rows), module.layer(rows) * 2)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({}, "give --checkpoint PATH or --artifact REFERENCE, or --factory pkg.mod:make alone"),
        ({"factory": "a:b", "ignore_keys": ("x",)}, "ignore_keys goes with a checkpoint; with --factory alone"),
    ],
)
def test_without_a_checkpoint_there_must_be_a_factory_and_nothing_for_checkpoints(asked: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        loaded(None, **asked)


@pytest.mark.parametrize(
    "asked", [{"class_path": "a:B"}, {"hparams": {"a": 1}}, {"weights": "ema"}, {"factory": "a:b"}]
)
def test_what_is_for_checkpoints_is_refused_for_a_module_in_memory(asked: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="and the like are for checkpoints; this module is loaded already"):
        loaded(foreign.Plain(), **asked)
