import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from lit_infer import load, manifest, settings
from lit_infer.errors import ArtifactError
from lit_infer.settings import NONE, TunedSettings
from tests.inference.tiny import described, make_bundle, rewrite


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIT_CACHE", str(tmp_path / "cache"))


def test_without_a_file_there_is_no_opinion() -> None:
    assert settings.read(described()) == NONE


def test_what_is_written_is_read_and_used_by_load(bundle_folder: Path) -> None:
    settings.write(manifest.read(bundle_folder), TunedSettings(batch_size=5, threads=1, engine="onnx"))

    with load(bundle_folder, device="cpu") as model:
        assert (model.batch_size, model.threads) == (5, 1)
    with load(bundle_folder, device="cpu", threads=2) as model:
        assert (model.batch_size, model.threads) == (5, 2)


def test_a_precision_that_was_tuned_is_used_unless_the_caller_names_something(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "bundle")
    onnx = manifest.read(folder).graphs[0]
    graphs = (onnx, replace(onnx, file="model.int8.onnx", precision="int8"))
    shutil.copyfile(folder / "model.onnx", folder / "model.int8.onnx")
    settings.write(manifest.read(rewrite(folder, graphs=graphs)), TunedSettings(precision="int8", threads=1))

    assert opened_file(folder) == "model.int8.onnx"
    assert opened_file(folder, engine="onnx") == "model.onnx"
    assert opened_file(folder, precision="fp32") == "model.onnx"


def test_what_was_tuned_and_is_not_in_the_bundle_any_more_is_passed_over(bundle_folder: Path) -> None:
    settings.write(manifest.read(bundle_folder), TunedSettings(engine="openvino", precision="bf16", batch_size=5))

    assert opened_file(bundle_folder) == "model.onnx"


def opened_file(folder: Path, **asked: str) -> str:
    with load(folder, device="cpu", **asked) as model:  # type: ignore[arg-type]
        assert model.path is not None
        return model.path.name


def test_another_machines_settings_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    settings.write(described(), TunedSettings(batch_size=5))
    monkeypatch.setattr(settings, "cpu_model", lambda: "another")

    assert settings.read(described()) == NONE


@pytest.mark.parametrize("text", ["", "{}", '{"cpu": 1}', '{"cpu":"a","cores":1,"settings":{"batch_size":0}}'])
def test_a_damaged_file_is_an_error_that_says_what_to_do(text: str) -> None:
    path = settings.path(described())
    path.parent.mkdir(parents=True)
    path.write_text(text)

    with pytest.raises(ArtifactError, match="Remove it, or run: lit-bench tune"):
        settings.read(described())
