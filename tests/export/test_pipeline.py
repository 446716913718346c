"""lit_export.pipeline: the whole story, on real checkpoints, and everything that may go wrong in it."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import pytest
import torch

from lit_export import Options, bundle_folder, export, formats
from lit_export.formats import onnx, torchscript  # noqa: F401 - patched below as attributes of the package
from lit_export.formats.job import Written
from lit_infer import artifacts, load, manifest
from lit_infer.errors import GateError, UsageError
from tests.export import foreign
from tests.inference.tiny import noise
from tests.inference.tiny import save as save_image

Save = Callable[[pl.LightningModule], Path]
BOTH: list[manifest.FormatName] = ["onnx", "torchscript"]


def facts(name: str, spec: Path) -> Options:
    return Options(class_path=f"tests.export.foreign:{name}", spec=spec)


def test_a_checkpoint_becomes_a_bundle_that_predicts_like_the_eager_module(
    digits_checkpoint: Path, digit_images: list[Path], tmp_path: Path
) -> None:
    from lit_trainer.data import DigitsDataModule
    from lit_trainer.modules import DigitsCNN

    bundle = export(digits_checkpoint, BOTH, out=tmp_path / "bundle")
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
    first = export(digits_checkpoint, ["torchscript"], out=out)
    second = export(digits_checkpoint, ["onnx"], out=out)
    assert [graph.format for graph in second.manifest.graphs] == ["onnx", "torchscript"]
    assert second.manifest.graphs[1] == first.manifest.graphs[0]
    assert manifest.read(out) == second.manifest


def test_another_checkpoint_does_not_get_into_the_same_bundle(
    digits_checkpoint: Path, save: Save, spec: Path, tmp_path: Path
) -> None:
    out = tmp_path / "bundle"
    export(digits_checkpoint, out=out)
    before = manifest.read(out)
    with pytest.raises(UsageError, match="another checkpoint"):
        export(save(foreign.Plain()), out=out, options=facts("Plain", spec))
    assert manifest.read(out) == before


def test_other_facts_neither_share_a_bundle_nor_replace_it(save: Save, spec: Path, tmp_path: Path) -> None:
    """The first graph has its normalisation inside: under a new manifest it would be wrong without a word."""
    checkpoint, options = save(foreign.Plain()), facts("Plain", spec)
    export(checkpoint, ["onnx"], out=tmp_path / "b", options=options)
    before = manifest.read(tmp_path / "b")
    spec.write_text(spec.read_text().replace("0.25, 0.25, 0.25", "0.5, 0.5, 0.5").replace("owl", "fox"))
    for made in (["torchscript"], ["onnx"]):
        with pytest.raises(UsageError, match=r"with different normalize, labels. Name another folder with --out"):
            export(checkpoint, made, out=tmp_path / "b", options=options)
    assert manifest.read(tmp_path / "b") == before


def test_a_folder_with_other_things_in_it_is_left_alone(digits_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("dear reader")
    with pytest.raises(UsageError, match="is neither a bundle nor an empty folder"):
        export(digits_checkpoint, out=tmp_path / "thesis")
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter1.txt"]


def test_a_reference_is_exported_and_published_with_its_parent(digits_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "model.ckpt").write_bytes(digits_checkpoint.read_bytes())
    registry = artifacts.registry()
    registry.publish(tmp_path / "checkpoint", artifacts.parse("local/p/net"), type="model", aliases=["best"])

    bundle = export(artifacts.parse("local/p/net:best"))

    assert bundle.folder == artifacts.artifacts_root() / "bundles" / "net-v0"
    published = registry.resolve(artifacts.parse("local/p/net-export:latest"))
    assert published.parents == ("local/p/net:v0",)
    assert published.reference == bundle.reference
    assert bundle.manifest.source.reference == "local/p/net:v0"
    assert load("local/p/net-export:latest").manifest == bundle.manifest


def test_a_foreign_checkpoint_is_exported_by_class_and_spec(save: Save, spec: Path, tmp_path: Path) -> None:
    bundle = export(save(foreign.Plain()), BOTH, out=tmp_path / "bundle", options=facts("Plain", spec))
    assert not bundle.failed
    assert bundle.manifest.labels == ("cat", "dog", "owl")
    prediction = load(tmp_path / "bundle").predict([np.zeros((50, 40, 3), dtype=np.uint8)])[0]
    assert prediction.label in {"cat", "dog", "owl"}


def test_without_facts_and_inputs_the_message_says_how_to_give_them(save: Save) -> None:
    with pytest.raises(UsageError, match=r"--input 3x224x224.*--spec FILE"):
        export(save(foreign.Plain()), options=Options(class_path="tests.export.foreign:Plain"))


def test_the_evaluation_branch_is_exported(save: Save, spec: Path, tmp_path: Path) -> None:
    checkpoint = save(foreign.BranchesOnTraining())
    bundle = export(checkpoint, BOTH, out=tmp_path / "bundle", options=facts("BranchesOnTraining", spec))
    assert not bundle.failed
    white = load(tmp_path / "bundle").predict([np.full((8, 8, 3), 255, dtype=np.uint8)])[0]
    assert white.score != pytest.approx(1 / 3, abs=1e-3)


def test_a_graph_that_differs_is_deleted_and_the_others_stay(save: Save, spec: Path, tmp_path: Path) -> None:
    checkpoint = save(foreign.BranchesOnBatchSize())
    options = facts("BranchesOnBatchSize", spec)
    bundle = export(checkpoint, ["torchscript"], out=tmp_path / "bundle", options=options)
    assert bundle.folder is None
    assert "parity failed" in (bundle.failed[0].reason or "")
    assert not (tmp_path / "bundle").exists()
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".pt", ".onnx")]


def test_a_failed_graph_is_in_the_manifest_with_its_reason_beside_one_that_passed(
    save: Save, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half_written(_: object, path: Path) -> Written:
        path.write_bytes(b"half a graph")
        raise RuntimeError("the exporter fell over\nwith a long story")

    monkeypatch.setattr(formats.onnx, "write_dynamo", half_written)
    monkeypatch.setattr(formats.onnx, "write_legacy", half_written)
    bundle = export(save(foreign.Plain()), BOTH, out=tmp_path / "bundle", options=facts("Plain", spec))
    assert {graph.format: graph.status for graph in bundle.manifest.graphs} == {"onnx": "failed", "torchscript": "ok"}
    assert "RuntimeError: the exporter fell over" in (bundle.failed[0].reason or "")
    assert not (tmp_path / "bundle" / "model.onnx").exists()
    assert "TorchScript" in load(tmp_path / "bundle").engine


def test_a_format_that_fails_the_second_time_takes_its_old_file_with_it(
    digits_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "bundle"
    export(digits_checkpoint, BOTH, out=out)

    def broken(*_: object) -> Written:
        raise GateError("not today")

    monkeypatch.setattr(formats.torchscript, "write", broken)
    again = export(digits_checkpoint, ["torchscript"], out=out)
    assert again.failed[0].reason == "not today"
    assert not (out / "model.pt").exists()
    assert (out / "model.onnx").exists()


def test_where_the_first_exporter_gets_it_wrong_the_second_is_tried_and_the_manifest_says_why(
    save: Save, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pytorch#169178: an exporter may write a graph that loads, runs and answers something else."""
    right = formats.onnx.write_dynamo

    def wrong(job: formats.job.WriteJob, path: Path) -> Written:
        module = copy.deepcopy(job.target.module)
        with torch.no_grad():
            next(module.parameters()).mul_(1.1)
        return right(replace(job, target=replace(job.target, module=module)), path)

    monkeypatch.setattr(formats.onnx, "write_dynamo", wrong)
    bundle = export(save(foreign.Plain()), out=tmp_path / "bundle", options=facts("Plain", spec))
    graph = bundle.manifest.ok_graphs()[0]
    assert "legacy" in (graph.exporter or "")
    assert "parity failed" in (graph.exporter or "")


def test_a_module_in_memory_is_exported_and_stays_as_it_was(spec: Path, tmp_path: Path) -> None:
    module = foreign.Plain().train()
    bundle = export(module, out=tmp_path / "bundle", options=Options(spec=spec))
    assert bundle.manifest.name == "Plain"
    assert module.training
    assert not bundle.failed


def test_what_was_asked_for_is_recorded(spec: Path, tmp_path: Path) -> None:
    options = Options(spec=spec, license="MIT", rtol=0.01, opset=18, static_batch=3, name="cats-and-dogs")
    bundle = export(foreign.Plain(), out=tmp_path / "bundle", options=options)
    graph = bundle.manifest.ok_graphs()[0]
    assert bundle.manifest.name == "cats-and-dogs"
    assert bundle_folder.default_folder(bundle.manifest).name.startswith("cats-and-dogs-")
    assert bundle.manifest.license == "MIT"
    assert bundle.manifest.inputs[0].shape == (3, 8, 8, 3)
    assert (graph.opset, graph.parity.rtol if graph.parity else None) == (18, 0.01)
    assert "MIT" in (tmp_path / "bundle" / "report.md").read_text()


def test_scores_on_labelled_images_stand_beside_each_graph(spec: Path, tmp_path: Path) -> None:
    for place, label in enumerate(("cat", "dog", "owl")):
        save_image(tmp_path / "data" / label / "1.png", noise(12, 12, seed=place))
    bundle = export(foreign.Plain(), out=tmp_path / "b", options=Options(spec=spec, data=tmp_path / "data"))
    score = bundle.manifest.ok_graphs()[0].score
    assert score is not None
    assert (score.images, score.value) == (3, score.eager)


def test_a_diverged_checkpoint_is_refused(save: Save, spec: Path, tmp_path: Path) -> None:
    with pytest.raises(GateError, match="NaN or infinity"):
        export(save(foreign.NotFinite()), out=tmp_path / "b", options=facts("NotFinite", spec))
    assert not (tmp_path / "b").exists()


def test_labels_that_do_not_match_the_classes_are_refused(save: Save, spec: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="3 labels are given and the model has 4 classes"):
        export(save(foreign.Plain(classes=4)), out=tmp_path / "b", options=facts("Plain", spec))


def test_golden_holds_the_eager_answers(digits_checkpoint: Path, tmp_path: Path) -> None:
    export(digits_checkpoint, out=tmp_path / "bundle")
    golden = np.load(tmp_path / "bundle" / "golden.npz")
    assert golden["images"].shape == (8, 16, 16, 1)
    found = load(tmp_path / "bundle").run({"images": golden["images"]})["probabilities"]
    np.testing.assert_allclose(found, golden["probabilities"], atol=1e-6, rtol=1e-3)
