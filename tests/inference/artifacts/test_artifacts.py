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
