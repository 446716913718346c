"""lit_export.checkpoint: reading a checkpoint without running anything that is in it."""

import pickle
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lit_export.checkpoint import open_checkpoint
from lit_infer import artifacts, files
from lit_infer.errors import ArtifactError, NotFoundError, UsageError


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
    assert found.folder_name == "net-v0"


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
    torch.save({"weights": torch.zeros(2)}, tmp_path / "other.ckpt")
    with pytest.raises(ArtifactError, match="state_dict"):
        open_checkpoint(artifact=None, checkpoint=tmp_path / "other.ckpt")


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
