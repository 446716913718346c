"""lit_export.front.hparams: hyperparameters, recorded and given. What a class gets of them: test_arguments."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lit_export.front.checkpoint import open_checkpoint
from lit_export.front.hparams import overlaid, parse_hparam, recorded
from lit_export.front.plain_values import Foreign
from lit_export.front.signature import Signature
from lit_infer.errors import ArtifactError, UsageError
from lit_infer.progress import Listener, listening
from tests.export import ways

CLI = {"_instantiator": "lightning.pytorch.cli.instantiate_module"}
simple = st.integers() | st.booleans() | st.none() | st.text(max_size=8) | st.lists(st.integers(), max_size=3)


def read(folder: Path, hparams: dict[str, Any], cls: type = ways.Simple, trust: tuple[str, ...] = ()) -> dict[str, Any]:
    torch.save({"state_dict": {}, "hyper_parameters": hparams}, folder / "x.ckpt")
    checkpoint = open_checkpoint(artifact=None, checkpoint=folder / "x.ckpt")
    return recorded(checkpoint, Signature.of(cls), trust)


@given(key=st.from_regex(r"[a-z_][a-z0-9_]{0,8}(\.[a-z0-9_]{1,4})?", fullmatch=True), value=simple)
def test_an_hparam_is_a_name_and_any_yaml(key: str, value: Any) -> None:
    if all(part.isidentifier() or part.isdigit() for part in key.split(".")):
        assert parse_hparam(f"{key}={yaml.safe_dump(value)}") == (key, value)


def test_a_number_with_an_exponent_is_a_number() -> None:
    assert parse_hparam("lr=1e-3") == ("lr", 0.001)


@pytest.mark.parametrize("text", ["a", "=1", "a b=1", "a..b=1", "a=[1", "a=!!python/object/apply:os.system ['true']"])
def test_a_wrong_hparam_is_explained(text: str) -> None:
    with pytest.raises(UsageError, match="--hparam"):
        parse_hparam(text)


def test_a_dotted_key_reaches_into_what_is_nested_and_changes_nothing_else() -> None:
    base = {"net": {"width": 1, "act": {"class_path": "a.B", "init_args": {"slope": 1}}}, "sizes": [1, 2]}

    found = overlaid(base, {"net.width": 2, "net.act.slope": 3, "sizes.1": 5, "new.deep": 1, "flat": 0})

    assert found == {
        "net": {"width": 2, "act": {"class_path": "a.B", "init_args": {"slope": 3}}},
        "sizes": [1, 5],
        "new": {"deep": 1},
        "flat": 0,
    }
    assert base["net"] == {"width": 1, "act": {"class_path": "a.B", "init_args": {"slope": 1}}}


@pytest.mark.parametrize(
    ("key", "says"),
    [("width.deep", "width is no table, but 3"), ("sizes.7", "expected a number from 0 to 1"), ("sizes.a", "0 to 1")],
)
def test_a_dotted_key_that_leads_nowhere_is_explained(key: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        overlaid({"width": 3, "sizes": [1, 2]}, {key: 1})


@pytest.mark.parametrize("cls", [ways.Simple, ways.Passing])
@pytest.mark.parametrize("marks", [CLI, {}])
def test_the_arguments_beside_a_class_path_are_the_arguments(tmp_path: Path, cls: type, marks: dict[str, Any]) -> None:
    described = {"class_path": "their.Net", "init_args": {"scale": 5.0}, "dict_kwargs": {"width": 2}, **marks}

    assert read(tmp_path, described, cls) == {"scale": 5.0, "width": 2}


def test_the_arguments_below_a_key_are_found_where_they_are_of_this_class(tmp_path: Path) -> None:
    said: list[str] = []
    mine = {"class_path": "their.Simple", "init_args": {"scale": 5.0}}
    other = {"class_path": "their.Other", "init_args": {"scale": 5.0}}

    with listening(Listener(note=said.append)):
        assert read(tmp_path, {"seed": 1, "model": mine}) == {"scale": 5.0}
    assert said == ["the hparams below model are those of their.Simple"]
    assert isinstance(read(tmp_path, {"model": other})["model"], Foreign)


def test_a_class_may_have_arguments_of_these_names(tmp_path: Path) -> None:
    own = {"init_args": {"width": 5}, "size": 3}

    assert read(tmp_path, own, ways.Passing) == own


def test_what_lightning_cli_wrote_becomes_what_the_class_takes(tmp_path: Path) -> None:
    net = {"class_path": "tests.export.ways.Net", "init_args": {"act": {"class_path": "torch.nn.GELU"}, "width": 2}}
    optimizer = {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.1}}
    hparams = {"net": net, "mode": "TWICE", "optimizer": optimizer, **CLI, "_class_path": "os.system"}

    found = read(tmp_path, hparams, ways.Composed, trust=("tests",))

    assert isinstance(found["net"].act, torch.nn.GELU)
    assert found["mode"] is ways.Mode.TWICE
    assert isinstance(found["optimizer"](found["net"].parameters()), torch.optim.SGD)


def test_only_lightning_s_own_instantiator_is_known(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"asks for an instantiator of its own, 'os\.system'"):
        read(tmp_path, {"width": 1, "_instantiator": "os.system"})


def test_hyperparameters_that_unfold_without_end_are_refused(tmp_path: Path) -> None:
    itself: list[Any] = []
    itself.append(itself)
    doubling: Any = [1]
    for _ in range(40):
        doubling = [doubling, doubling]

    for value in (itself, doubling):
        with pytest.raises(ArtifactError, match="hyperparameters are nested more than 100 deep, or are more than"):
            read(tmp_path, {"width": value})
