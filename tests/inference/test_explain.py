import json
from pathlib import Path

import pytest

from lit_infer import manifest, settings
from lit_infer.errors import UsageError
from lit_infer.explain import explain
from lit_infer.settings import TunedSettings


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIT_CACHE", str(tmp_path / "cache"))


def test_what_was_obtained_is_said_in_plain_data(bundle_folder: Path) -> None:
    facts = explain(bundle_folder, device="cpu")

    assert (facts["engine"], facts["device"], facts["format"]) == ("onnxruntime CPUExecutionProvider", "cpu", "onnx")
    assert facts["precision"] == "fp32"
    assert facts["inputs"] == "images uint8 NHWC [batch, 8, 8, 3]"
    assert facts["batch"] == "8, the default"
    assert json.loads(json.dumps(facts)) == facts


def test_auto_says_why(bundle_folder: Path) -> None:
    assert "auto" in explain(bundle_folder)["why"]


def test_a_lone_file_is_explained_too(bundle_folder: Path) -> None:
    assert explain(bundle_folder / "model.onnx", device="cpu")["graph"].endswith("model.onnx")


def test_the_settings_that_were_tuned_are_used_and_said(bundle_folder: Path) -> None:
    settings.write(manifest.read(bundle_folder), TunedSettings(batch_size=3, threads=1))

    facts = explain(bundle_folder, device="cpu")

    assert (facts["batch"], facts["threads"]) == ("3, as lit-bench tune found", "1")


def test_a_precision_that_is_asked_for_is_said(bundle_folder: Path) -> None:
    assert explain(bundle_folder, device="cpu", precision="fp32")["precision"] == "fp32"
    with pytest.raises(UsageError, match="has no int8 graph"):
        explain(bundle_folder, precision="int8")
