"""lit_export.pipeline: the whole story, on real checkpoints, and everything that may go wrong in it."""

from collections.abc import Callable
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import pytest
import torch

from lit_export import export
from lit_infer import artifacts, load, manifest
from lit_infer.errors import GateError, UsageError
from tests.export import foreign

Save = Callable[[pl.LightningModule], Path]
CLASS = "tests.export.foreign:"


def test_a_checkpoint_becomes_a_bundle_that_predicts_like_the_eager_module(
    digits_checkpoint: Path, digit_images: list[Path], tmp_path: Path
) -> None:
    from lit_trainer.data import DigitsDataModule
    from lit_trainer.modules import DigitsCNN

    bundle = export(checkpoint=digits_checkpoint, out=tmp_path / "bundle")
    assert [graph.status for graph in bundle.attempted] == ["ok", "ok"]

    data = DigitsDataModule()
    data.setup("test")
    module = DigitsCNN.load_from_checkpoint(digits_checkpoint, map_location="cpu", weights_only=True).eval()
    with torch.no_grad():
        eager = torch.softmax(module(torch.stack([image for image, _ in data.test_set])), dim=-1).numpy()

    for model in (tmp_path / "bundle", tmp_path / "bundle" / "model.pt"):
        predictions = load(model).predict(digit_images, top_k=10)
        assert [p.index for p in predictions] == eager.argmax(-1).tolist()
        scores = np.array([[choice.score for choice in sorted(p.top, key=lambda c: c.index)] for p in predictions])
        np.testing.assert_allclose(scores, eager, atol=1e-5)


def test_a_second_format_joins_the_first(digits_checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    first = export(checkpoint=digits_checkpoint, to=["torchscript"], out=out)
    second = export(checkpoint=digits_checkpoint, to=["onnx"], out=out)
    assert [graph.format for graph in second.manifest.graphs] == ["onnx", "torchscript"]
    assert second.manifest.graphs[1] == first.manifest.graphs[0]
    assert manifest.read(out) == second.manifest


def test_another_checkpoint_does_not_get_into_the_same_bundle(
    digits_checkpoint: Path, save: Save, spec: Path, tmp_path: Path
) -> None:
    out = tmp_path / "bundle"
    export(checkpoint=digits_checkpoint, to=["onnx"], out=out)
    before = manifest.read(out)
    with pytest.raises(UsageError, match="another checkpoint"):
        export(checkpoint=save(foreign.Plain()), class_path=CLASS + "Plain", spec=spec, to=["onnx"], out=out)
    assert manifest.read(out) == before


def test_graphs_of_other_facts_do_not_share_a_bundle(save: Save, spec: Path, tmp_path: Path) -> None:
    """The first graph has its normalisation inside: under a new manifest it would be wrong without a word."""
    arguments = {
        "checkpoint": save(foreign.Plain()),
        "class_path": CLASS + "Plain",
        "spec": spec,
        "out": tmp_path / "b",
    }
    export(**arguments, to=["onnx"])
    before = manifest.read(tmp_path / "b")
    spec.write_text(spec.read_text().replace("0.25, 0.25, 0.25", "0.5, 0.5, 0.5").replace("owl", "fox"))
    with pytest.raises(UsageError, match="onnx was exported with other normalize, labels"):
        export(**arguments, to=["torchscript"])
    assert manifest.read(tmp_path / "b") == before
    again = export(**arguments, to=["onnx", "torchscript"])
    assert not again.failed
    assert again.manifest.labels == ("cat", "dog", "fox")


def test_a_folder_with_other_things_in_it_is_left_alone(digits_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("dear reader")
    with pytest.raises(UsageError, match="not a bundle"):
        export(checkpoint=digits_checkpoint, out=tmp_path / "thesis")
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter1.txt"]


def test_a_reference_is_exported_and_published_with_its_parent(digits_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "model.ckpt").write_bytes(digits_checkpoint.read_bytes())
    registry = artifacts.registry()
    registry.publish(tmp_path / "checkpoint", artifacts.parse("local/p/net"), type="model", aliases=["best"])

    bundle = export(artifact="local/p/net:best", to=["onnx"])

    assert bundle.folder == artifacts.artifacts_root() / "bundles" / "net-v0"
    published = registry.resolve(artifacts.parse("local/p/net-export:latest"))
    assert published.parents == ("local/p/net:v0",)
    assert published.reference == bundle.reference
    assert bundle.manifest.source.reference == "local/p/net:v0"
    assert load("local/p/net-export:latest").manifest == bundle.manifest


def test_a_foreign_checkpoint_is_exported_by_class_and_spec(save: Save, spec: Path, tmp_path: Path) -> None:
    bundle = export(checkpoint=save(foreign.Plain()), class_path=CLASS + "Plain", spec=spec, out=tmp_path / "bundle")
    assert not bundle.failed
    assert bundle.manifest.labels == ("cat", "dog", "owl")
    prediction = load(tmp_path / "bundle").predict([np.zeros((50, 40, 3), dtype=np.uint8)])[0]
    assert prediction.label in {"cat", "dog", "owl"}


def test_without_facts_the_message_says_how_to_give_them(save: Save) -> None:
    with pytest.raises(UsageError, match="--spec FILE"):
        export(checkpoint=save(foreign.Plain()), class_path=CLASS + "Plain")


def test_the_evaluation_branch_is_exported(save: Save, spec: Path, tmp_path: Path) -> None:
    checkpoint = save(foreign.BranchesOnTraining())
    bundle = export(checkpoint=checkpoint, class_path=CLASS + "BranchesOnTraining", spec=spec, out=tmp_path / "bundle")
    assert not bundle.failed
    white = load(tmp_path / "bundle").predict([np.full((8, 8, 3), 255, dtype=np.uint8)])[0]
    assert white.score != pytest.approx(1 / 3, abs=1e-3)


def test_a_graph_that_differs_is_deleted_and_the_others_stay(save: Save, spec: Path, tmp_path: Path) -> None:
    checkpoint = save(foreign.BranchesOnBatchSize())
    arguments = {"class_path": CLASS + "BranchesOnBatchSize", "spec": spec, "out": tmp_path / "bundle"}
    bundle = export(checkpoint=checkpoint, to=["torchscript"], **arguments)
    assert bundle.folder is None
    assert "parity failed" in (bundle.failed[0].reason or "")
    assert not (tmp_path / "bundle").exists()
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".pt", ".onnx")]


def test_a_failed_graph_is_in_the_manifest_with_its_reason_beside_one_that_passed(
    save: Save, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lit_export import formats

    def half_written(module: object, example: object, described: object, path: Path) -> formats.Written:
        path.write_bytes(b"half a graph")
        raise RuntimeError("the exporter fell over\nwith a long story")

    monkeypatch.setitem(formats._WRITERS, "onnx", half_written)
    bundle = export(checkpoint=save(foreign.Plain()), class_path=CLASS + "Plain", spec=spec, out=tmp_path / "bundle")
    assert {graph.format: graph.status for graph in bundle.manifest.graphs} == {"onnx": "failed", "torchscript": "ok"}
    assert bundle.failed[0].reason == "RuntimeError: the exporter fell over"
    assert not (tmp_path / "bundle" / "model.onnx").exists()
    assert "TorchScript" in load(tmp_path / "bundle").engine


def test_a_format_that_fails_the_second_time_takes_its_old_file_with_it(
    digits_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lit_export import formats

    out = tmp_path / "bundle"
    export(checkpoint=digits_checkpoint, out=out)

    def broken(*_: object) -> formats.Written:
        raise GateError("not today")

    monkeypatch.setitem(formats._WRITERS, "torchscript", broken)
    again = export(checkpoint=digits_checkpoint, to=["torchscript"], out=out)
    assert again.failed[0].reason == "not today"
    assert not (out / "model.pt").exists()
    assert (out / "model.onnx").exists()


def test_a_diverged_checkpoint_is_refused(save: Save, spec: Path, tmp_path: Path) -> None:
    with pytest.raises(GateError, match="NaN or infinity"):
        export(checkpoint=save(foreign.NotFinite()), class_path=CLASS + "NotFinite", spec=spec, out=tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_labels_that_do_not_match_the_classes_are_refused(save: Save, spec: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="3 labels are given and the model has 4 classes"):
        export(checkpoint=save(foreign.Plain(classes=4)), class_path=CLASS + "Plain", spec=spec, out=tmp_path / "b")


def test_golden_holds_the_eager_answers(digits_checkpoint: Path, tmp_path: Path) -> None:
    export(checkpoint=digits_checkpoint, to=["onnx"], out=tmp_path / "bundle")
    golden = np.load(tmp_path / "bundle" / "golden.npz")
    assert golden["images"].shape == (7, 16, 16, 1)
    found = load(tmp_path / "bundle").run({"images": golden["images"]})["probabilities"]
    np.testing.assert_allclose(found, golden["probabilities"], atol=1e-6, rtol=1e-3)
