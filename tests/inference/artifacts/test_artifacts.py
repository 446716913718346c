"""The package's own functions: where artifacts lie."""

from pathlib import Path

import pytest

from lit_infer import artifacts


def test_lit_artifacts_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIT_ARTIFACTS", str(tmp_path / "elsewhere"))
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.ckpt").write_bytes(b"weights")

    version = artifacts.registry().publish(tmp_path / "model", artifacts.parse("local/a/b"), type="model")

    assert (tmp_path / "elsewhere/registry/local/a/b/v0/files/model.ckpt").read_bytes() == b"weights"
    assert str(version.reference) == "local/a/b:v0"


@pytest.mark.parametrize("value", [None, ""])
def test_else_it_is_the_folder_artifacts_here(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIT_ARTIFACTS")
    if value is not None:
        monkeypatch.setenv("LIT_ARTIFACTS", value)

    assert artifacts.artifacts_root() == Path("artifacts")


ONLINE = {"WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": "http://wandb.test/"}


def test_online_a_reference_means_wandb_unless_it_is_local(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ONLINE.items():
        monkeypatch.setenv(name, value)
    remote, local = artifacts.parse("user/a/b:best"), artifacts.parse("local/a/b:best")

    assert isinstance(artifacts.registry(remote), artifacts.WandbRegistry)
    assert isinstance(artifacts.registry(), artifacts.WandbRegistry)
    assert isinstance(artifacts.registry(local), artifacts.FolderRegistry)
    assert artifacts.why(remote) == "W&B at http://wandb.test: WANDB_API_KEY is set"
    assert artifacts.why(local).endswith("artifacts/registry: the name begins with local/")


def test_offline_every_reference_means_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    remote = artifacts.parse("user/a/b:best")

    assert isinstance(artifacts.registry(remote), artifacts.FolderRegistry)
    assert artifacts.why(remote).startswith("folder registry ")
    assert artifacts.why(remote).endswith("artifacts/registry: WANDB_MODE=offline")
