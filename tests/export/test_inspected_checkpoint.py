"""lit_export.inspected_checkpoint: what a checkpoint holds and will need, in rows."""

import argparse
import enum
from pathlib import Path
from typing import Any

import pytest
import torch

from lit_export.front.plain_values import Foreign, TensorOutline
from lit_export.inspected_checkpoint import answers, preprocessing, rows, short, size_text
from lit_infer import files
from lit_infer.errors import ArtifactError


class Stage(enum.Enum):
    TRAIN = "train"


def shown(path: Path) -> dict[str, list[str]]:
    """The values by name; a row without one continues the row above."""
    found: dict[str, list[str]] = {}
    for name, value in rows(path, where=str(path), source=("-c", path.name)):
        found.setdefault(name or list(found)[-1], []).append(value)
    return found


def test_a_checkpoint_with_objects_tells_them_and_what_they_need(cases: Path) -> None:
    found = shown(cases / "Objects.ckpt")

    assert found["hparams"] == [
        "net: <torch.nn.modules.container.Sequential object>",
        "optimizer: <functools.partial of torch.optim.adam.Adam>",
        "scheduler: None",
        "compile: False",
    ]
    assert found["try"] == ["lit-export onnx -c Objects.ckpt --factory pkg.mod:make"]
    assert found["sha256"] == [files.sha256(cases / "Objects.ckpt")]
    assert any("--config" in line for line in found["needs"])


def test_a_checkpoint_of_lightning_cli_names_its_class(cases: Path) -> None:
    found = shown(cases / "CliNet.ckpt")

    assert found["class"] == ["modules.CliNet"] or found["class"] == ["tests.cases.modules.CliNet"]
    assert found["try"][0].startswith("lit-export onnx -c CliNet.ckpt --class ")
    assert found["try"][0].endswith("modules:CliNet")


def test_values_of_every_kind_are_a_line_each(tmp_path: Path) -> None:
    hparams = {
        "stage": Stage.TRAIN,
        "args": argparse.Namespace(depth=2),
        "number": 10**5000,
        "mean": torch.ones(3),
        "dtype": torch.float16,
        "line\nbreak": "a\nb",
        "long": "x" * 500,
    }
    callbacks = {Stage: {}, "ModelCheckpoint{'monitor': 'a'}": {}}
    torch.save({"state_dict": {}, "hyper_parameters": hparams, "callbacks": callbacks}, tmp_path / "x.ckpt")

    found = shown(tmp_path / "x.ckpt")

    assert found["hparams"][:5] == [
        f"stage: {__name__}.Stage('train')",
        "args: {'depth': 2}",
        "number: a number of 16,610 bits",
        "mean: tensor Float [3]",
        "dtype: torch.float16",
    ]
    assert all(line.isprintable() and len(line) < 200 for line in found["hparams"])
    assert found["callbacks"] == ["Stage, ModelCheckpoint"]


def test_weights_under_other_names_are_listed(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "generator": {"w": torch.ones(2)}, "critic": {"w": torch.ones(3)}}, tmp_path / "x.pt")

    found = shown(tmp_path / "x.pt")

    assert found["generator"] == ["1 tensors, 2 values, 8 bytes"]
    assert found["critic"] == ["1 tensors, 3 values, 12 bytes"]


@pytest.mark.parametrize(
    ("contents", "says"), [(torch.nn.Linear(1, 1), "is a whole module"), ([1], "is no checkpoint, but a list")]
)
def test_what_is_no_table_is_told(tmp_path: Path, contents: Any, says: str) -> None:
    torch.save(contents, tmp_path / "x.pt")

    with pytest.raises(ArtifactError, match=says):
        shown(tmp_path / "x.pt")


def test_damage_is_seen(tmp_path: Path) -> None:
    torch.save({"state_dict": {"w": torch.full((64,), 1.2345)}}, tmp_path / "x.ckpt")
    data = bytearray((tmp_path / "x.ckpt").read_bytes())
    data[data.index(torch.tensor(1.2345).numpy().tobytes()) + 9] ^= 1
    (tmp_path / "x.ckpt").write_bytes(data)

    with pytest.raises(ArtifactError, match="is damaged"):
        shown(tmp_path / "x.ckpt")


def test_facts_that_cannot_be_read_are_a_row(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "lit_deploy": {"deployment": 3}}, tmp_path / "x.ckpt")

    assert "lit_deploy" in shown(tmp_path / "x.ckpt")["deployment"][0]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ([Foreign("a.B")], "[<a.B object>]"),
        (TensorOutline("Float", (2, 3), None), "tensor Float [2, 3]"),
    ],
)
def test_a_value_is_told_in_a_few_words(value: Any, text: str) -> None:
    assert short(value) == text


def test_sizes_labels_and_answers_are_told() -> None:
    assert (size_text(9_999), size_text(1_234_567)) == ("9,999 bytes", "1.23 MB")
    assert list(answers({})) == []
    assert list(answers({"top": 3})) == [("answers", '{"top": 3}')]
    assert list(preprocessing((), None, tuple("abcdefghij"))) == [("labels", "10: a, b, c, d, e, f, g, h, ...")]
