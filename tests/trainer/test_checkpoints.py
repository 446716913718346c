"""lit_trainer.checkpoints: a path, a reference or a URL as a local file; test_lightning_cli.py trains from them."""

from pathlib import Path

import pytest

from lit_infer import artifacts
from lit_infer.errors import NotFoundError
from lit_trainer.checkpoints import local_checkpoint


def kept(folder: Path, reference: str, *, name: str = "model.ckpt") -> None:
    folder.mkdir()
    (folder / name).write_bytes(b"weights")
    artifacts.folder_registry().publish(folder, artifacts.parse(reference), type="model")


def test_a_path_stays_as_it_is(tmp_path: Path) -> None:
    assert local_checkpoint(str(tmp_path / "epoch=3.ckpt")) is None


def test_a_reference_is_the_verified_file(tmp_path: Path) -> None:
    kept(tmp_path / "kept", "local/digits/net")
    found = local_checkpoint("local/digits/net:latest")
    assert found is not None
    assert (found.name, found.read_bytes()) == ("model.ckpt", b"weights")


def test_a_reference_to_something_else_says_what_it_holds(tmp_path: Path) -> None:
    kept(tmp_path / "kept", "local/digits/net-export", name="model.onnx")
    with pytest.raises(NotFoundError, match=r"is not a checkpoint: it holds model\.onnx"):
        local_checkpoint("local/digits/net-export:latest")


def test_a_page_of_wandb_is_a_reference_and_is_never_downloaded(tmp_path: Path) -> None:
    kept(tmp_path / "kept", "acme/digits/net")
    found = local_checkpoint("https://wandb.ai/acme/digits/artifacts/model/net/v0")
    assert found is not None
    assert found.read_bytes() == b"weights"
    assert not (artifacts.artifacts_root() / "downloads").exists()
