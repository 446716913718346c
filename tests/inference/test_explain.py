import json
from pathlib import Path

import pytest

from lit_infer import manifest, settings
from lit_infer.errors import UsageError
from lit_infer.explain import explain
from lit_infer.manifest import PixelProof, Proof, Tiles
from lit_infer.proof_words import AS_STATED
from lit_infer.settings import TunedSettings
from tests.inference.tiny import make_bundle
from tests.support.mask_model import make_mask_bundle
from tests.support.server.proven import make_proven


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


def test_whether_the_pixels_were_compared_with_training_s_is_said(bundle_folder: Path, tmp_path: Path) -> None:
    pixels = PixelProof(transform="lab:val", images=24, source="validation data", max_difference=0.0)
    proven = make_proven(tmp_path / "b", proof=Proof(inputs="noise", rows=3, pixels=pixels))
    numbers = make_bundle(tmp_path / "c", task="tensor", labels=None, preprocess=())

    assert explain(bundle_folder, device="cpu")["pixels"] == AS_STATED
    assert explain(proven, device="cpu")["pixels"] == (
        "proven against lab:val on 24 images (validation data), all equal"
    )
    assert "pixels" not in explain(numbers, device="cpu")


def test_the_settings_that_were_tuned_are_used_and_said(bundle_folder: Path) -> None:
    settings.write(manifest.read(bundle_folder), TunedSettings(batch_size=3, threads=1))

    facts = explain(bundle_folder, device="cpu")

    assert (facts["batch"], facts["threads"]) == ("3, as lit-bench tune found", "1")


def test_a_precision_that_is_asked_for_is_said(bundle_folder: Path) -> None:
    assert explain(bundle_folder, device="cpu", precision="fp32")["precision"] == "fp32"
    with pytest.raises(UsageError, match="has no int8 graph"):
        explain(bundle_folder, precision="int8")


def test_a_model_whose_rows_are_joined_says_that_nothing_is_batched(tmp_path: Path) -> None:
    facts = explain(make_bundle(tmp_path / "b", rows="joined"), device="cpu")

    assert facts["batch"] == "1, an answer depends on the whole batch, so nothing is joined, padded or split"


def test_how_the_graph_was_checked_is_said(bundle_folder: Path, tmp_path: Path) -> None:
    assert explain(bundle_folder / "model.onnx", device="cpu")["checked"] == "not recorded in a lone file"
    proof = Proof(inputs="noise", rows=3, varies=False)
    checked = explain(make_proven(tmp_path / "b", proof=proof), device="cpu")["checked"]
    assert checked == (
        "compared on 3 rows of seeded noise (batches 1, 2); its outputs hardly vary, max difference 1.0e-07"
    )


def test_tiles_are_said_where_a_model_may_have_some(bundle_folder: Path, tmp_path: Path) -> None:
    whole = make_mask_bundle(tmp_path / "whole")
    cut = make_mask_bundle(tmp_path / "cut", tiles=Tiles(size=64, overlap=8))

    assert "tiles" not in explain(bundle_folder, device="cpu")
    assert explain(whole, device="cpu")["tiles"] == "none: each image is prepared as a whole"
    assert explain(cut, device="cpu")["tiles"] == "64 x 64 pixels that overlap by 8 or more, merged by mean"
