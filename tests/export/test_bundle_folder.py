"""lit_export.bundle_folder: what stays in a bundle's folder, what goes, and what is refused. No torch is needed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from lit_export import bundle_folder
from lit_export.bundle_folder import Bundle
from lit_export.options import Options
from lit_infer import artifacts, files, load, manifest
from lit_infer.errors import ArtifactError, UsageError
from lit_infer.manifest import FormatName, Graph, Manifest, Normalize
from tests.inference.tiny import described, graph_bytes, listed


def staged(folder: Path, name: str, format_: FormatName, facts: Manifest, content: bytes | None = None) -> Graph:
    """A proven graph and golden answers, as an export leaves them in its staging folder."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content or graph_bytes(facts.embedded()))
    bundle_folder.write_golden(folder, {"images": np.zeros((2, 8, 8, 3), dtype=np.uint8)})
    return listed(folder / name, format_)


def finish(out: Path, *graphs: Graph, stage: Path, facts: Manifest | None = None) -> Bundle:
    return bundle_folder.finish(out, facts or described(), graphs, staged=[stage], options=Options())


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle of model.onnx."""
    graph = staged(tmp_path / "stage", "model.onnx", "onnx", described())
    finish(tmp_path / "bundle", graph, stage=tmp_path / "stage")
    return tmp_path / "bundle"


def failed(format_: FormatName) -> Graph:
    return Graph(format=format_, status="failed", reason="not today")


def test_a_bundle_is_its_graphs_and_what_describes_them(bundle: Path) -> None:
    assert sorted(path.name for path in bundle.iterdir()) == ["golden.npz", "manifest.json", "model.onnx", "report.md"]
    read = manifest.read(bundle)
    assert read.golden_sha256 == files.sha256(bundle / "golden.npz")
    assert read.made_with.date is not None
    assert load(bundle).manifest == read


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"labels": ("a", "b", "c")}, "labels"),
        ({"normalize": Normalize(mean=(0.5,) * 3, std=(0.5,) * 3)}, "normalize"),
        ({"preprocess": ()}, "preprocess"),
        ({"license": "MIT"}, "license"),
        ({"source": replace(described().source, weights="ema")}, "weights"),
        ({"source": replace(described().source, submodule="encoder")}, "submodule"),
        ({"rows": "joined"}, "rows"),
        ({"source": replace(described().source, adapter="pkg.mod:Wrap")}, "adapter"),
        ({"source": replace(described().source, call="predict_step")}, "call"),
        ({"task": "image-embedding", "labels": None}, "task, labels"),
        ({"labels": None, "source": replace(described().source, weights="ema")}, "labels, weights"),
    ],
)
def test_other_facts_neither_join_nor_replace(bundle: Path, changes: dict[str, Any], named: str) -> None:
    cure = "Name another folder with --out, or remove this one"
    for made in ("torchscript", "onnx"):  # beside the graph that is there, and in its place
        with pytest.raises(UsageError, match=f"holds colours@0123456789ab with different {named}. {cure}"):
            bundle_folder.graphs_that_stay(bundle, described(**changes), [(made, "fp32")])


def test_the_same_facts_may_replace_a_graph(bundle: Path) -> None:
    assert bundle_folder.graphs_that_stay(bundle, described(), [("onnx", "fp32")]) == ()


def test_another_checkpoint_does_not_join(bundle: Path) -> None:
    other = described(source=replace(described().source, digest="f" * 64))
    with pytest.raises(UsageError, match=r"another checkpoint than colours@ffffffffffff\. Name another folder"):
        bundle_folder.graphs_that_stay(bundle, other, [("onnx", "fp32")])


def test_a_graph_of_another_format_or_precision_stays(bundle: Path, tmp_path: Path) -> None:
    before = manifest.read(bundle)
    graph = staged(tmp_path / "second", "model.fp16.onnx", "onnx", described())
    finish(bundle, replace(graph, precision="fp16"), stage=tmp_path / "second")
    after = manifest.read(bundle)
    assert [graph.label for graph in after.graphs] == ["onnx", "onnx fp16"]
    assert after.graphs[0] == before.graphs[0]
    assert (bundle / "model.onnx").exists()


def test_a_graph_that_fails_anew_takes_its_old_file_with_it(bundle: Path, tmp_path: Path) -> None:
    graph = staged(tmp_path / "second", "model.pt", "torchscript", described())
    finish(bundle, graph, stage=tmp_path / "second")
    (tmp_path / "third").mkdir()
    result = finish(bundle, failed("torchscript"), stage=tmp_path / "third")
    assert not (bundle / "model.pt").exists()
    assert [(graph.format, graph.status) for graph in manifest.read(bundle).graphs] == [
        ("onnx", "ok"),
        ("torchscript", "failed"),
    ]
    assert result.failed[0].reason == "not today"
    assert "not today" in (bundle / "report.md").read_text()


def test_the_companions_of_a_replaced_graph_go_too(bundle: Path, tmp_path: Path) -> None:
    (bundle / "model.onnx.data").write_bytes(b"of an earlier, larger export")
    graph = staged(tmp_path / "second", "model.onnx", "onnx", described())
    finish(bundle, graph, stage=tmp_path / "second")
    assert not (bundle / "model.onnx.data").exists()


def test_an_old_signature_goes_and_what_others_put_there_stays(bundle: Path, tmp_path: Path) -> None:
    (bundle / "model.sig").write_text("of the bundle as it was")
    (bundle / "notes.txt").write_text("mine")
    graph = staged(tmp_path / "second", "model.pt", "torchscript", described())
    finish(bundle, graph, stage=tmp_path / "second")
    assert not (bundle / "model.sig").exists()
    assert (bundle / "notes.txt").read_text() == "mine"


def test_nothing_that_passed_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "stage").mkdir()
    result = finish(tmp_path / "bundle", failed("onnx"), stage=tmp_path / "stage")
    assert result.folder is None
    assert not (tmp_path / "bundle").exists()


def test_a_bundle_stays_as_it_is_where_its_only_graph_fails_anew(bundle: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    (tmp_path / "second").mkdir()
    assert finish(bundle, failed("onnx"), stage=tmp_path / "second").folder is None
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == before


def test_what_is_no_bundle_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").touch()
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for name in ("thesis", "file"):
        with pytest.raises(UsageError, match=f"{name} is neither a bundle nor an empty folder"):
            bundle_folder.graphs_that_stay(tmp_path / name, described(), [])
    assert bundle_folder.graphs_that_stay(tmp_path / "empty", described(), []) == ()


def test_a_damaged_manifest_is_not_written_over(bundle: Path) -> None:
    (bundle / "manifest.json").write_text(json.dumps({"schema": 1}))
    with pytest.raises(ArtifactError, match=r"manifest\.json"):
        bundle_folder.graphs_that_stay(bundle, described(), [("onnx", "fp32")])


def test_golden_answers_are_plain_arrays_of_any_name_and_always_the_same_bytes(tmp_path: Path) -> None:
    arrays = {"file": np.arange(6).reshape(2, 3), "a.b": np.array(1.5, dtype=np.float32), "no": np.zeros((0, 2))}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        bundle_folder.write_golden(tmp_path / name, arrays)
    with np.load(tmp_path / "one" / "golden.npz", allow_pickle=False) as found:
        assert found.files == list(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)
    assert (tmp_path / "one" / "golden.npz").read_bytes() == (tmp_path / "two" / "golden.npz").read_bytes()


def test_the_default_folder_tells_versions_and_namesakes_apart() -> None:
    bundles = artifacts.artifacts_root() / "bundles"
    assert bundle_folder.default_folder(described()) == bundles / "colours-0123456789ab"
    published = described(source=replace(described().source, reference="local/p/colours:v3"))
    assert bundle_folder.default_folder(published) == bundles / "colours-v3"
