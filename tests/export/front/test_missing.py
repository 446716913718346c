"""lit_export.front.missing: one message for all that a class needs, whose cures work."""

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.cli import LightningCLI

from lit_export.front.arguments import Given
from lit_export.front.checkpoint import open_checkpoint
from lit_export.front.missing import example, missing_pieces
from lit_export.front.module import load_module
from lit_export.front.plain_values import Foreign
from lit_export.front.signature import Signature
from lit_export.options import Options
from tests.export import ways

# Lightning's advice for training, as `Composed` is given a module
pytestmark = pytest.mark.filterwarnings("ignore:Attribute 'net' is an instance of `nn.Module`")
Train = Callable[[bool], LightningCLI]


def said(path: Path, cls: type, missing: dict[str, Foreign | None], arguments: dict[str, Any] | None = None) -> str:
    checkpoint = open_checkpoint(artifact=None, checkpoint=path)
    return missing_pieces(checkpoint, cls, Signature.of(cls), Given(arguments or {}, missing))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.save({"state_dict": {"net.layer.weight": torch.ones(1), "other.x": torch.ones(1)}}, tmp_path / "x.ckpt")
    return tmp_path / "x.ckpt"


class Unannotated:
    """Its arguments say nothing of themselves."""

    def __init__(self, net, width, net_kind: str) -> None: ...  # type: ignore[no-untyped-def]


def test_plain_values_are_given_as_options(weights: Path) -> None:
    message = said(weights, ways.Simple, {"width": None})

    first, second = message.splitlines()
    assert first == f"Simple needs width (int), and {weights} does not hold it as plain data."
    assert second == "Add: --hparam width=VALUE"


def test_an_argument_without_annotation_is_no_text_where_the_file_has_weights_of_it(weights: Path) -> None:
    message = said(weights, Unannotated, {"net": None, "width": None, "net_kind": None})

    assert "Add: --hparam width=VALUE --hparam net_kind=VALUE\n" in message
    assert "net cannot be given as text" in message
    assert "--hparam net=" not in message


def test_all_objects_are_named_with_their_classes_and_the_shortest_ways_first(weights: Path) -> None:
    message = said(weights, ways.Composed, {"net": Foreign("their.Net"), "optimizer": Foreign("their.Adam")})

    assert "Composed needs net (their.Net), optimizer (their.Adam)" in message
    ways_on = [line.split()[0] for line in message.splitlines() if line.startswith("  --")]
    assert ways_on == ["--config", "--use-load-from-checkpoint", "--factory"]
    assert "Train" not in message


def test_a_value_that_is_in_no_file_is_not_offered_from_it(weights: Path) -> None:
    assert "--use-load-from-checkpoint" not in said(weights, ways.Composed, {"net": None})


def test_the_configuration_beside_the_checkpoint_is_named_and_works(trained: Train, tmp_path: Path) -> None:
    trained(True)
    path = tmp_path / "last.ckpt"

    assert f"--config {tmp_path / 'config.yaml'}  (left by the training)" in said(path, ways.Composed, {"net": None})
    load_module(open_checkpoint(artifact=None, checkpoint=path), Options(config=tmp_path / "config.yaml"))


def test_the_example_of_a_factory_works_when_its_dots_are_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ways.Composed(ways.Net(2), scale=3.0)
    contents = {"state_dict": module.state_dict(), "hyper_parameters": {"scale": 3.0, "old": 1}}
    torch.save(contents, tmp_path / "x.ckpt")
    message = said(tmp_path / "x.ckpt", ways.Composed, {"net": None}, {"scale": 3.0, "optimizer": None})

    lines = message.partition("make.py like this:\n")[2]
    filled = textwrap.dedent(lines).replace("net=...", "net=Net(2)").replace("import Composed", "import Composed, Net")
    (tmp_path / "make_it.py").write_text(filled)
    monkeypatch.syspath_prepend(tmp_path)
    found = load_module(
        open_checkpoint(artifact=None, checkpoint=tmp_path / "x.ckpt"), Options(factory="make_it:module")
    )
    sys.modules.pop("make_it")

    assert len(lines.splitlines()) == 3
    rows = torch.randn(2, 4)
    assert torch.equal(found(rows), module(rows))


class Wide:
    """It takes more arguments than anybody writes out."""

    def __init__(self, net: object, *, a: int, b: int, c: int, d: int, e: int, f: int, g: int) -> None: ...


def test_many_values_go_through_the_example_unnamed_and_those_that_the_class_lacks_stop_there() -> None:
    plain = dict.fromkeys("abcdefg", 1)
    found = example(Wide, Given(plain, {"net": None}), {**plain, "older": 2, "_instantiator": "theirs"})

    assert found[1:] == ["def module(older, **hparams):", "    return Wide(net=..., **hparams)"]
