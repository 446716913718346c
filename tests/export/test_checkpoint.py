"""lit_export.checkpoint: reading a checkpoint without running anything that is in it."""

import pickle
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lit_export.checkpoint import open_checkpoint
from lit_infer import artifacts, files
from lit_infer.errors import ArtifactError, NotFoundError, UsageError
from lit_infer.progress import Listener, listening


class Gadget:
    """Unpickling this creates a file: what hostile checkpoints do, and worse."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.target,)


def test_a_checkpoint_tells_its_digest_facts_and_score(digits_checkpoint: Path) -> None:
    found = open_checkpoint(artifact=None, checkpoint=digits_checkpoint)
    assert found.digest == files.sha256(digits_checkpoint)
    assert found.name == "digits"
    assert found.record is not None
    assert found.record.deployment.class_path == "lit_trainer.modules.digits_cnn.DigitsCNN"
    assert found.record.deployment.labels == tuple("0123456789")
    assert found.score is not None
    assert (found.score.monitor, found.score.mode) == ("val_loss", "min")
    assert 0 < found.score.value < 5


def test_a_reference_is_pinned_to_its_version(digits_checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "model.ckpt").write_bytes(digits_checkpoint.read_bytes())
    artifacts.registry().publish(folder, artifacts.parse("local/p/net"), type="model", aliases=["best"])
    found = open_checkpoint(artifact="local/p/net:best", checkpoint=None)
    assert str(found.reference) == "local/p/net:v0"


@pytest.mark.parametrize("where", ["hyper_parameters", "state_dict", "callbacks", "lit_deploy"])
def test_a_checkpoint_that_would_run_code_is_refused_and_does_not(tmp_path: Path, where: str) -> None:
    touched = tmp_path / "touched"
    path = tmp_path / "hostile.ckpt"
    torch.save({"state_dict": {}, where: {"x": Gadget(touched)}}, path)
    with pytest.raises(ArtifactError, match="refused"):
        open_checkpoint(artifact=None, checkpoint=path)
    assert not touched.exists()


def test_a_bare_pickle_that_would_run_code_is_refused_and_does_not(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    path = tmp_path / "hostile.ckpt"
    path.write_bytes(pickle.dumps({"state_dict": Gadget(touched)}))
    with pytest.raises(ArtifactError):
        open_checkpoint(artifact=None, checkpoint=path)
    assert not touched.exists()


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.99])
def test_a_truncated_checkpoint_is_refused(digits_checkpoint: Path, tmp_path: Path, kept: float) -> None:
    whole = digits_checkpoint.read_bytes()
    path = tmp_path / "cut.ckpt"
    path.write_bytes(whole[: int(kept if kept >= 1 else kept * len(whole))])
    with pytest.raises(ArtifactError, match=r"cut\.ckpt"):
        open_checkpoint(artifact=None, checkpoint=path)


def test_a_file_without_a_state_dict_is_not_a_checkpoint(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "other.ckpt")
    with pytest.raises(ArtifactError, match="holds no state_dict, only epoch"):
        open_checkpoint(artifact=None, checkpoint=tmp_path / "other.ckpt")


def test_weights_under_another_name_are_pointed_out(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "model": {"w": torch.zeros(2)}}, tmp_path / "other.ckpt")
    with pytest.raises(ArtifactError, match=r"'model' may be it.*\['model'\]"):
        open_checkpoint(artifact=None, checkpoint=tmp_path / "other.ckpt")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_plain_state_dict_is_a_checkpoint_without_hyperparameters(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "weights.pth"
    torch.save(torch.nn.BatchNorm1d(2).state_dict(), path, _use_new_zipfile_serialization=zipped)
    notes: list[str] = []
    with listening(Listener(note=notes.append)):
        found = open_checkpoint(artifact=None, checkpoint=str(path))
    assert set(found.contents["state_dict"]) == {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
    assert found.contents["state_dict"]._metadata
    assert (found.hparams, found.record, found.score, found.weights) == ({}, None, None, "model")
    assert "plain state_dict" in notes[0]


AVERAGED, RAW = {"w": torch.ones(2)}, {"w": torch.zeros(2)}
OF_LIGHTNING = {"state_dict": AVERAGED, "current_model_state": RAW, "averaging_state": {}}


@pytest.mark.parametrize(
    ("contents", "asked", "value", "recorded", "said"),
    [
        (OF_LIGHTNING, None, 1, "ema", "--weights model"),
        (OF_LIGHTNING, "ema", 1, "ema", "--weights model"),
        (OF_LIGHTNING, "model", 0, "model", "--weights ema"),
        ({"state_dict": RAW, "ema_state_dict": AVERAGED}, None, 0, "model", "--weights ema"),
        ({"state_dict": RAW, "state_dict_ema": AVERAGED}, "ema", 1, "ema", "state_dict_ema"),
        ({"state_dict": RAW}, "model", 0, "model", ""),
    ],
)
def test_averaged_and_raw_weights_are_chosen_and_recorded(
    tmp_path: Path, contents: Any, asked: Any, value: int, recorded: str, said: str
) -> None:
    torch.save(contents, tmp_path / "x.ckpt")
    notes: list[str] = []
    with listening(Listener(note=notes.append)):
        found = open_checkpoint(artifact=None, checkpoint=tmp_path / "x.ckpt", weights=asked)
    assert found.contents["state_dict"]["w"].tolist() == [value] * 2
    assert found.weights == recorded
    assert said in "".join(notes)


def test_averaged_weights_that_are_not_there_are_not_given(tmp_path: Path) -> None:
    torch.save({"state_dict": RAW}, tmp_path / "x.ckpt")
    with pytest.raises(UsageError, match="holds no EMA weights"):
        open_checkpoint(artifact=None, checkpoint=tmp_path / "x.ckpt", weights="ema")


def test_the_score_belongs_to_the_weights_that_were_measured(tmp_path: Path) -> None:
    key = "ModelCheckpoint{'monitor': 'val_loss', 'mode': 'min'}"
    state = {"monitor": "val_loss", "current_score": torch.tensor(0.25)}
    torch.save({**OF_LIGHTNING, "callbacks": {key: state}}, tmp_path / "x.ckpt")
    scores = [
        open_checkpoint(artifact=None, checkpoint=tmp_path / "x.ckpt", weights=asked).score for asked in (None, "model")
    ]
    assert scores[0] is not None
    assert scores[0].value == 0.25
    assert scores[1] is None


def test_a_path_among_the_hyperparameters_is_named_with_the_cure(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "hyper_parameters": {"width": 3, "root": tmp_path}}, tmp_path / "x.ckpt")
    with pytest.raises(ArtifactError, match=r"hyper_parameters.root \(pathlib.PosixPath\).*\n.*ignore=\[\"root\"\]"):
        open_checkpoint(artifact=None, checkpoint=tmp_path / "x.ckpt")


def test_a_module_among_the_hyperparameters_is_named_with_its_class(tmp_path: Path) -> None:
    hparams = {"net": {"body": torch.nn.ReLU()}}
    torch.save({"state_dict": {}, "hyper_parameters": hparams}, tmp_path / "x.ckpt")
    with pytest.raises(ArtifactError, match=r"hyper_parameters.net.body \(torch.nn.modules.activation.ReLU\)"):
        open_checkpoint(artifact=None, checkpoint=tmp_path / "x.ckpt")


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        (b"\x1f\x8b\x08" + bytes(70), "gzip"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "git lfs pull"),
        (b"\x40\0\0\0\0\0\0\0" + b'{"w":{"dtype":"F32"}}', "safetensors"),
        (b"\x08\x0a\x12\x07pytorch", "ONNX graph"),
        (b"", "empty"),
        (b"epoch: 3", "text file"),
        (pickle.dumps({"state_dict": {}}, protocol=2), "pickle"),
        (b"PK\x05\x06" + bytes(18), "zip archive"),
    ],
)
def test_another_kind_of_file_is_called_what_it_is(tmp_path: Path, contents: bytes, said: str) -> None:
    path = tmp_path / "x.ckpt"
    path.write_bytes(contents)
    with pytest.raises(ArtifactError, match=said):
        open_checkpoint(artifact=None, checkpoint=path)


def test_a_newer_pickle_protocol_is_explained(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "x.ckpt", pickle_protocol=4)
    with pytest.raises(ArtifactError, match=r"protocol \(2\)"):
        open_checkpoint(artifact=None, checkpoint=tmp_path / "x.ckpt")


def test_all_that_torch_saves_plainly_is_taken(tmp_path: Path) -> None:
    base = torch.arange(12.0)
    contents = {
        "state_dict": {
            "a": base[2:8].view(2, 3).t(),
            "b": base,
            "p": torch.nn.Parameter(torch.ones(2)),
            "n": torch.tensor(3),
        },
        "optimizer_states": [{"state": {0: {"step": 1}}, "param_groups": [{"betas": (0.9, 0.99), "foreach": None}]}],
        "callbacks": {("a", 1): {1, 2}, "big": 2**70, "bytes": b"\xff", "ba": bytearray(b"ab"), "c": 1j},
        "more": [
            torch.Size([1]),
            torch.float16,
            torch.device("cpu"),
            torch.eye(3).to_sparse(),
            torch.ones(1).expand(5),
        ],
        "types": [torch.ones(2, dtype=torch.uint16), torch.ones(3, dtype=torch.float8_e4m3fn), torch.zeros(0)],
        "empty": torch.empty(3, device="meta"),
    }
    for zipped in (True, False):
        if not zipped:
            del contents["types"]  # the older format has no place for these dtypes
        torch.save(contents, tmp_path / "x.ckpt", _use_new_zipfile_serialization=zipped)
        found = open_checkpoint(artifact=None, checkpoint=tmp_path / "x.ckpt")
        assert torch.equal(found.contents["state_dict"]["a"], base[2:8].view(2, 3).t())
        assert found.contents["callbacks"]["big"] == 2**70
        assert found.contents["more"][3].is_sparse


def test_a_missing_file_names_its_neighbours(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "epoch=9-step=80.ckpt")
    with pytest.raises(NotFoundError, match=r"Did you mean epoch=9-step=80\.ckpt"):
        open_checkpoint(artifact=None, checkpoint=tmp_path / "epoch=9-step=8.ckpt")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"nowhere\.ckpt"):
        open_checkpoint(artifact=None, checkpoint=tmp_path / "nowhere.ckpt")


@pytest.mark.parametrize(("artifact", "checkpoint"), [(None, None), ("local/a/b:c", Path("x"))])
def test_exactly_one_source_is_asked_for(artifact: str | None, checkpoint: Path | None) -> None:
    with pytest.raises(UsageError, match="either"):
        open_checkpoint(artifact=artifact, checkpoint=checkpoint)


def test_damaged_facts_are_named_with_their_place(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "lit_deploy": {"deployment": {"task": "knitting"}}}, tmp_path / "x.ckpt")
    with pytest.raises(UsageError, match="task"):
        open_checkpoint(artifact=None, checkpoint=tmp_path / "x.ckpt")


@given(st.binary(max_size=200))
@example(b"hi\n")
@example(b"PK\x03\x04")
@example(b"\x80\x02}q\x00.")
@settings(max_examples=200, deadline=None)
def test_bytes_that_are_no_checkpoint_are_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.ckpt"
        path.write_bytes(content)
        with pytest.raises(ArtifactError, match=r"x\.ckpt"):
            open_checkpoint(artifact=None, checkpoint=path)
