"""lit_export.front.checkpoint: reading a checkpoint without running anything that is in it."""

import argparse
import pickle
import shlex
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lightning.pytorch.callbacks import ModelCheckpoint

from lit_export.front.checkpoint import open_checkpoint
from lit_export.front.plain_values import Foreign, TensorOutline
from lit_infer import artifacts, files
from lit_infer.errors import ArtifactError, LitError, NotFoundError, UsageError
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


@pytest.mark.parametrize("where", ["hyper_parameters", "callbacks", "optimizer_states", "loops", "anything"])
def test_an_object_is_a_placeholder_and_its_code_does_not_run(tmp_path: Path, where: str) -> None:
    touched = tmp_path / "touched"
    torch.save({"state_dict": {"w": torch.ones(2)}, where: {"x": [Gadget(touched)]}}, tmp_path / "hostile.ckpt")

    found = open_checkpoint(artifact=None, checkpoint=tmp_path / "hostile.ckpt")

    assert not touched.exists()
    assert found.contents[where] == {"x": [Foreign("pathlib.Path.touch")]}
    assert found.contents["state_dict"]["w"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("contents", "says"),
    [
        (
            {"state_dict": {"w": torch.nn.ReLU()}},
            r"w \(torch.nn.modules.activation.ReLU\).*\nSave the module's state_dict",
        ),
        ({"state_dict": torch.nn.Linear(1, 1)}, r"its state_dict is a whole module \(torch.nn.modules.linear.Linear\)"),
        ({"epoch": 1, "model": torch.nn.Linear(1, 1)}, r"its model is a whole module .*\n.*--class torch.nn"),
        (torch.nn.Linear(1, 1), r"is a whole module .*python -c .*state_dict"),
        ({"state_dict": [torch.ones(1)]}, "its state_dict is no table of named tensors, but a list"),
        ({"state_dict": {1: torch.ones(1)}}, "is no table of named tensors"),
        (torch.ones(1), "is no checkpoint, but a lone tensor"),
        ([1], "is no checkpoint, but a list"),
        ({"lit_deploy": {"deployment": Path("x")}, "state_dict": {}}, "lit_deploy"),
    ],
)
def test_what_holds_no_plain_weights_is_refused_with_the_way_to_them(tmp_path: Path, contents: Any, says: str) -> None:
    torch.save(contents, tmp_path / "x.ckpt")

    with pytest.raises(LitError, match=says) as caught:
        open_checkpoint(artifact=None, checkpoint=tmp_path / "x.ckpt")
    assert str(caught.value).count("\n") < 2


def test_the_way_to_the_weights_of_a_whole_module_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"model": torch.nn.Linear(3, 2)}, tmp_path / "yolo.pt")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArtifactError) as caught:
        open_checkpoint(artifact=None, checkpoint="yolo.pt")

    code = shlex.split(str(caught.value).partition("python -c ")[2].partition("\n")[0])[0]
    exec(code)  # noqa: S102 - what the message says to run

    assert open_checkpoint(artifact=None, checkpoint="weights.pt").contents["state_dict"]["weight"].shape == (2, 3)


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


def test_weights_under_another_name_are_taken_and_told(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "net_g": {"w": torch.ones(2)}}, tmp_path / "other.ckpt")
    notes: list[str] = []
    with listening(Listener(note=notes.append)):
        found = open_checkpoint(artifact=None, checkpoint=tmp_path / "other.ckpt")

    assert found.contents["state_dict"]["w"].tolist() == [1, 1]
    assert notes == ["using the weights under 'net_g'"]


def test_one_of_several_tables_of_weights_is_asked_for(tmp_path: Path) -> None:
    table = {"w": torch.ones(2)}
    torch.save({"generator": table, "critic": dict(table)}, tmp_path / "gan.pt")
    with pytest.raises(ArtifactError, match=r"several tables of weights: generator, critic.*python -c"):
        open_checkpoint(artifact=None, checkpoint=tmp_path / "gan.pt")


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
OF_CALLBACK = {
    "state_dict": RAW,
    "callbacks": {"EarlyStopping": {"wait": 1}, "EMA": {"decay": 0.9, "ema_state_dict": {"module.w": AVERAGED["w"]}}},
}


@pytest.mark.parametrize(
    ("contents", "asked", "value", "recorded", "said"),
    [
        (OF_LIGHTNING, None, 1, "ema", "--weights model"),
        (OF_LIGHTNING, "ema", 1, "ema", "--weights model"),
        (OF_LIGHTNING, "model", 0, "model", "--weights ema"),
        ({"state_dict": RAW, "ema_state_dict": AVERAGED}, None, 0, "model", "--weights ema"),
        ({"state_dict": RAW, "state_dict_ema": AVERAGED}, "ema", 1, "ema", "state_dict_ema"),
        ({"state_dict": RAW}, "model", 0, "model", ""),
        (OF_CALLBACK, None, 0, "model", "--weights ema for ema_state_dict of the callback EMA"),
        (OF_CALLBACK, "ema", 1, "ema", "ema_state_dict of the callback EMA"),
        ({"state_dict": RAW, "callbacks": {"Other": {"best": AVERAGED}}}, None, 0, "model", ""),
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


def test_what_a_callback_does_not_average_is_as_in_the_raw_weights(tmp_path: Path) -> None:
    raw = {**RAW, "running_mean": torch.full((2,), 3.0)}
    torch.save({**OF_CALLBACK, "state_dict": raw}, tmp_path / "x.ckpt")
    found = open_checkpoint(artifact=None, checkpoint=tmp_path / "x.ckpt", weights="ema").contents["state_dict"]
    assert (found["w"].tolist(), found["running_mean"].tolist()) == ([1, 1], [3, 3])


def test_the_score_belongs_to_the_weights_that_were_measured(tmp_path: Path) -> None:
    key = "ModelCheckpoint{'monitor': 'val_loss', 'mode': 'min'}"
    state = {"monitor": "val_loss", "best_model_path": "/runs/x.ckpt", "best_model_score": torch.tensor(0.25)}
    torch.save({**OF_LIGHTNING, "callbacks": {key: state}}, tmp_path / "x.ckpt")
    scores = [
        open_checkpoint(artifact=None, checkpoint=tmp_path / "x.ckpt", weights=asked).score for asked in (None, "model")
    ]
    assert scores[0] is not None
    assert scores[0].value == 0.25
    assert scores[1] is None


def test_hyperparameters_that_are_data_are_data_and_objects_are_named(tmp_path: Path) -> None:
    hparams = {
        "root": tmp_path,
        "rate": np.float32(0.5),
        "net": torch.nn.ReLU(),
        "dtype": torch.float16,
        "device": torch.device("cuda:1"),
        "size": torch.Size([2, 3]),
        "means": torch.ones(2),
        "args": argparse.Namespace(depth=2),
    }
    torch.save({"state_dict": {}, "hyper_parameters": hparams}, tmp_path / "x.ckpt")

    found = open_checkpoint(artifact=None, checkpoint=tmp_path / "x.ckpt").hparams

    assert torch.equal(found.pop("means"), hparams.pop("means"))
    assert found.pop("net") == Foreign("torch.nn.modules.activation.ReLU", "module")
    assert found.pop("args").depth == 2
    assert {**found, "net": hparams["net"], "args": hparams["args"]} == hparams
    assert isinstance(found["size"], torch.Size)


@pytest.mark.parametrize("key", ["hyper_parameters", "hparams", "module_arguments"])
def test_a_namespace_of_hyperparameters_is_a_table(tmp_path: Path, key: str) -> None:
    torch.save({"state_dict": {}, key: argparse.Namespace(width=3)}, tmp_path / "x.ckpt")

    assert open_checkpoint(artifact=None, checkpoint=tmp_path / "x.ckpt").hparams == {"width": 3}


def test_callbacks_by_class_as_older_versions_wrote_them_are_read(tmp_path: Path) -> None:
    callbacks = {ModelCheckpoint: {"monitor": "val_loss", "best_model_score": torch.tensor(0.5)}}
    torch.save({"state_dict": {}, "callbacks": callbacks}, tmp_path / "x.ckpt")

    found = open_checkpoint(artifact=None, checkpoint=tmp_path / "x.ckpt")

    key = Foreign("lightning.pytorch.callbacks.model_checkpoint.ModelCheckpoint", "name")
    assert found.contents["callbacks"][key]["best_model_score"] == 0.5
    assert found.score is None  # it does not tell whether more or less is better


def test_the_optimizers_states_are_not_read(tmp_path: Path) -> None:
    states = [{"state": {0: {"exp_avg": torch.ones(4), "step": torch.tensor(3.0)}}, "param_groups": []}]
    torch.save({"state_dict": {"w": torch.ones(2)}, "optimizer_states": states}, tmp_path / "x.ckpt")

    found = open_checkpoint(artifact=None, checkpoint=tmp_path / "x.ckpt")

    assert isinstance(found.contents["optimizer_states"][0]["state"][0]["exp_avg"], TensorOutline)


def test_a_hook_finds_the_other_tensors_of_the_file(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "scale": torch.tensor(2.0), "queue": [torch.ones(3)]}, tmp_path / "x.ckpt")

    found = open_checkpoint(artifact=None, checkpoint=tmp_path / "x.ckpt").contents

    assert (found["scale"].item(), found["queue"][0].tolist()) == (2, [1, 1, 1])


@pytest.mark.parametrize("damaged", ["weights", "optimizer", "pickle"])
def test_a_flipped_bit_is_seen_wherever_it_is(tmp_path: Path, damaged: str) -> None:
    weights, momentum = torch.full((64,), 1.2345), torch.full((64,), 5.4321)
    contents = {"state_dict": {"w": weights}, "optimizer_states": [{"state": {0: momentum}}], "text": "here it is"}
    path = tmp_path / "x.ckpt"
    torch.save(contents, path)
    data = bytearray(path.read_bytes())
    found = {"weights": weights.numpy().tobytes(), "optimizer": momentum.numpy().tobytes(), "pickle": b"here it is"}
    data[data.index(found[damaged]) + 5] ^= 1
    path.write_bytes(data)

    with pytest.raises(ArtifactError, match=r"x\.ckpt.*damaged.*[Cc]opy or download it again"):
        open_checkpoint(artifact=None, checkpoint=path)


def test_a_file_written_without_checksums_is_read_and_told(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"state_dict": {"w": torch.ones(2)}}, tmp_path / "x.ckpt")
    finally:
        torch.serialization.set_crc32_options(True)
    notes: list[str] = []
    with listening(Listener(note=notes.append)):
        found = open_checkpoint(artifact=None, checkpoint=tmp_path / "x.ckpt")

    assert found.contents["state_dict"]["w"].tolist() == [1, 1]
    assert "without checksums" in notes[0]


def test_weights_that_claim_more_than_the_file_has_are_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {"w": torch.ones(1).expand(1 << 40)}}, tmp_path / "x.ckpt")

    with pytest.raises(ArtifactError, match=r"claims 1,099,511,627,776 values, and the file has 4 bytes"):
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


@pytest.mark.parametrize("zipped", [True, False], ids=["archive", "older"])
@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
def test_every_pickle_protocol_is_read(tmp_path: Path, protocol: int, zipped: bool) -> None:
    state = torch.nn.Linear(3, 2).state_dict()
    contents = {"state_dict": state, "hyper_parameters": {"width": 3}}
    torch.save(contents, tmp_path / "x.ckpt", pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)

    found = open_checkpoint(artifact=None, checkpoint=tmp_path / "x.ckpt")

    assert found.hparams == {"width": 3}
    assert torch.equal(found.contents["state_dict"]["weight"], state["weight"])


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


def test_a_link_to_nothing_is_told_as_that(tmp_path: Path) -> None:
    (tmp_path / "last.ckpt").symlink_to("gone.ckpt")
    with pytest.raises(NotFoundError, match=r"last\.ckpt is a link to gone\.ckpt, which is not there"):
        open_checkpoint(artifact=None, checkpoint=tmp_path / "last.ckpt")


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
@settings(max_examples=200)
def test_bytes_that_are_no_checkpoint_are_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.ckpt"
        path.write_bytes(content)
        with pytest.raises(ArtifactError, match=r"x\.ckpt"):
            open_checkpoint(artifact=None, checkpoint=path)
