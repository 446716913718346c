from pathlib import Path

import pytest

from lit_infer import load, manifest, settings
from lit_infer.errors import ArtifactError
from lit_infer.settings import NONE, Settings
from tests.inference.tiny import described


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIT_CACHE", str(tmp_path / "cache"))


def test_without_a_file_there_is_no_opinion() -> None:
    assert settings.read(described()) == NONE


def test_what_is_written_is_read_and_used_by_load(bundle_folder: Path) -> None:
    settings.write(manifest.read(bundle_folder), Settings(batch_size=5, threads=1, engine="onnx"))

    with load(bundle_folder, device="cpu") as model:
        assert (model.batch_size, model.threads) == (5, 1)
    with load(bundle_folder, device="cpu", threads=2) as model:
        assert (model.batch_size, model.threads) == (5, 2)


def test_another_machines_settings_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    settings.write(described(), Settings(batch_size=5))
    monkeypatch.setattr(settings, "cpu_model", lambda: "another")

    assert settings.read(described()) == NONE


@pytest.mark.parametrize("text", ["", "{}", '{"cpu": 1}', '{"cpu":"a","cores":1,"settings":{"batch_size":0}}'])
def test_a_damaged_file_is_an_error_that_says_what_to_do(text: str) -> None:
    path = settings.path(described())
    path.parent.mkdir(parents=True)
    path.write_text(text)

    with pytest.raises(ArtifactError, match="Remove it, or run: lit-bench tune"):
        settings.read(described())
