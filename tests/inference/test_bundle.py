import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from lit_infer import artifacts, bundle, files, load, manifest
from lit_infer.engines import ENGINES, Engine
from lit_infer.errors import ArtifactError, EngineError, NotFoundError, UsageError
from lit_infer.manifest import Graph, MadeWith, Normalize, Proof, Resize, Source, Step, Tensor
from tests.inference.tiny import graph_bytes, listed, make_bundle, rewrite, without


@pytest.fixture
def own_bundle(tmp_path: Path, bundle_folder: Path) -> Path:
    """A bundle that the test may damage."""
    return Path(shutil.copytree(bundle_folder, tmp_path / "own"))


def two_formats(folder: Path) -> Path:
    """A bundle that lists a TorchScript graph before the ONNX graph."""
    make_bundle(folder)
    (folder / "model.pt").write_bytes(b"never opened here")
    onnx = manifest.read(folder).graphs[0]
    return rewrite(folder, graphs=(listed(folder / "model.pt", "torchscript"), onnx))


def test_a_folder_offers_the_graphs_that_its_manifest_lists(bundle_folder: Path) -> None:
    (found,) = bundle.find(bundle_folder)

    assert found.path == bundle_folder / "model.onnx"
    assert found.manifest == manifest.read(bundle_folder)
    assert found.listed is not None


def test_a_lone_file_describes_itself(bundle_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "copied.onnx"
    shutil.copyfile(bundle_folder / "model.onnx", path)

    (found,) = bundle.find(str(path))
    _, described = found.open(device="cpu", threads=1)

    assert described == manifest.read(bundle_folder).embedded()


def test_a_reference_offers_the_graphs_of_the_version_it_means(bundle_folder: Path) -> None:
    artifacts.registry().publish(bundle_folder, artifacts.parse("local/c/colours-export"), type="bundle")

    (found,) = bundle.find("local/c/colours-export:latest")

    assert found.path.read_bytes() == (bundle_folder / "model.onnx").read_bytes()
    assert load("local/c/colours-export", device="cpu").manifest.name == "colours"


def test_a_version_that_was_changed_in_the_registry_is_refused(bundle_folder: Path) -> None:
    artifacts.registry().publish(bundle_folder, artifacts.parse("local/c/colours-export"), type="bundle")
    (found,) = bundle.find("local/c/colours-export:v0")
    found.path.write_bytes(b"changed")

    with pytest.raises(ArtifactError, match="was changed since it was published"):
        load("local/c/colours-export:v0")


@pytest.mark.parametrize("model", ["nowhere", "nowhere.onnx", "/nowhere/at/all", "a/b/c/d"])
def test_what_is_not_there_is_explained_with_what_could_be(model: str) -> None:
    with pytest.raises(NotFoundError, match=r"no model at .*bundle folder, a graph file \(\.onnx, .*\) or entity/"):
        bundle.find(model)


def test_an_unknown_reference_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="no local/digits/nothing in the registry"):
        bundle.find("local/digits/nothing:best")


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.ckpt").touch()

    with pytest.raises(UsageError, match="is neither a graph file"):
        bundle.find(tmp_path / "model.ckpt")


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="is not a bundle"):
        bundle.find(tmp_path)


def test_a_graph_that_is_not_the_one_described_is_refused(own_bundle: Path) -> None:
    (own_bundle / "model.onnx").write_bytes(graph_bytes(None))

    with pytest.raises(ArtifactError, match="is not the file that its manifest describes"):
        load(own_bundle, device="cpu")


def test_a_graph_listed_without_a_digest_is_refused(own_bundle: Path) -> None:
    rewrite(own_bundle, graphs=(Graph(format="onnx", status="ok", file="model.onnx"),))

    with pytest.raises(ArtifactError, match="is not the file that its manifest describes"):
        load(own_bundle, device="cpu")


CHANGES: dict[str, Any] = {
    "labels": ("red", "blue", "green"),
    "preprocess": (Step(resize=Resize(size=(8, 8))),),
    "normalize": Normalize(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    "inputs": (Tensor(name="images", dtype="uint8", shape=(1, 8, 8, 3)),),
    "outputs": (Tensor(name="logits", dtype="float32", shape=("batch", 3)),),
    "rows": "joined",
    "license": "MIT",
    "source": Source(digest="f" * 64, class_path="tests.Colours"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_manifest_that_was_edited_is_refused_whatever_was_edited(name: str, own_bundle: Path) -> None:
    rewrite(own_bundle, **{name: CHANGES[name]})

    said = "digest" if name == "source" else name
    with pytest.raises(ArtifactError, match=rf"manifest\.json: {said}.* differs from the copy inside model\.onnx"):
        load(own_bundle, device="cpu")


def test_what_another_export_into_the_same_folder_adds_is_no_edit(own_bundle: Path) -> None:
    made = MadeWith(versions={"onnx": "2"}, command="lit-export openvino")
    rewrite(own_bundle, made_with=made, proof=Proof(inputs="noise", rows=3))

    with load(own_bundle, device="cpu") as predictor:
        assert predictor.manifest.made_with == made


def test_a_graph_without_a_manifest_inside_is_refused_in_a_bundle_too(own_bundle: Path) -> None:
    (own_bundle / "model.onnx").write_bytes(graph_bytes(None))
    rewrite(own_bundle, graphs=(listed(own_bundle / "model.onnx", "onnx"),))

    with pytest.raises(ArtifactError, match="carries no lit-deploy manifest: make it with lit-export"):
        load(own_bundle, device="cpu")


def test_a_lone_graph_that_another_tool_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "foreign.onnx").write_bytes(graph_bytes(None))

    with pytest.raises(ArtifactError, match="carries no lit-deploy manifest: make it with lit-export"):
        load(tmp_path / "foreign.onnx", device="cpu")


def test_a_corrupted_lone_graph_is_an_engine_error(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"\x08\x0a" + b"\xff" * 100)

    with pytest.raises(EngineError, match="onnxruntime cannot open it"):
        load(tmp_path / "model.onnx", device="cpu")


def test_a_bundle_with_nothing_but_failed_graphs_says_why_they_failed(own_bundle: Path) -> None:
    failed = Graph(format="onnx", status="failed", reason="parity failed: 0.3", file="model.onnx")
    rewrite(own_bundle, graphs=(failed,))

    with pytest.raises(ArtifactError, match=r"no graph that passed its checks \(onnx: parity failed: 0\.3\)"):
        bundle.find(own_bundle)


def test_a_bundle_that_lists_nothing_says_so(own_bundle: Path) -> None:
    rewrite(own_bundle, graphs=())

    with pytest.raises(ArtifactError, match="it lists none"):
        bundle.find(own_bundle)


def test_a_failed_graph_beside_a_good_one_is_left_out(own_bundle: Path) -> None:
    (good,) = manifest.read(own_bundle).graphs
    rewrite(own_bundle, graphs=(Graph(format="torchscript", status="failed", reason="parity"), good))

    assert [graph.listed for graph in bundle.find(own_bundle)] == [good]


def test_a_missing_file_is_named(own_bundle: Path) -> None:
    (own_bundle / "model.onnx").unlink()

    with pytest.raises(ArtifactError, match=r"model\.onnx is missing"):
        bundle.find(own_bundle)


@pytest.mark.parametrize("name", ["../outside.onnx", "sub/inside.onnx"])
def test_a_manifest_cannot_name_a_file_outside_its_folder(name: str, own_bundle: Path) -> None:
    (own_bundle / "sub").mkdir()
    path = own_bundle / name
    shutil.copyfile(own_bundle / "model.onnx", path)
    entry = Graph(format="onnx", status="ok", file=name, sha256=files.sha256(path))
    rewrite(own_bundle, graphs=(entry,))

    with pytest.raises(ArtifactError):
        bundle.find(own_bundle)


def test_a_manifest_cannot_name_a_file_anywhere(own_bundle: Path, tmp_path: Path) -> None:
    path = Path(shutil.copyfile(own_bundle / "model.onnx", tmp_path / "outside.onnx"))
    entry = Graph(format="onnx", status="ok", file=str(path), sha256=files.sha256(path))
    rewrite(own_bundle, graphs=(entry,))

    with pytest.raises(ArtifactError):
        bundle.find(own_bundle)


def test_onnx_is_preferred_whatever_the_order_in_the_manifest(tmp_path: Path) -> None:
    graphs = bundle.find(two_formats(tmp_path / "bundle"))

    assert [graph.path.suffix for graph in graphs] == [".pt", ".onnx"]
    assert bundle.choose(graphs).path.suffix == ".onnx"


@pytest.mark.parametrize(
    ("hidden", "expected"),
    [
        (
            ["onnxruntime", "torch"],
            'model.pt needs torch, which is not installed. Run: pip install "lit-deploy[torch]"',
        ),
        (["torch"], "model.onnx"),
    ],
)
def test_the_graph_that_can_be_run_here_is_chosen_or_what_is_missing_is_named(
    hidden: list[str], expected: str, tmp_path: Path
) -> None:
    code = """
import sys
from lit_infer import bundle, errors
try:
    print(bundle.choose(bundle.find(sys.argv[1])).path)
except errors.MissingExtraError as error:
    print(error)
"""
    folder = two_formats(tmp_path / "bundle")

    done = subprocess.run(
        [sys.executable, "-c", code, folder],
        env=without(tmp_path / "hide", *hidden),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == (f"{folder}/{expected}\n", "")


def test_lit_model_names_the_default(monkeypatch: pytest.MonkeyPatch, own_folders: Path) -> None:
    make_bundle(own_folders / "bundles/colours-v0")
    monkeypatch.setenv("LIT_MODEL", "local/digits/digits-cnn-export:best")

    assert bundle.default_model() == "local/digits/digits-cnn-export:best"


def aged(folder: Path, seconds: int) -> Path:
    """A bundle whose manifest was written so many seconds after another's."""
    make_bundle(folder)
    os.utime(folder / manifest.FILE_NAME, (1e9 + seconds, 1e9 + seconds))
    return folder


def test_else_the_newest_bundle_is_the_default(own_folders: Path) -> None:
    aged(own_folders / "bundles/a", 10)
    newest = aged(own_folders / "elsewhere/deep/b", 30)
    aged(own_folders / "bundles/c", 20)

    assert bundle.default_model() == str(newest)


def test_copies_in_the_registry_and_bundles_in_the_making_are_no_default(own_folders: Path) -> None:
    finished = aged(own_folders / "bundles/a", 10)
    aged(own_folders / "bundles/.staging-x", 20)
    aged(own_folders / "bundles/.staging-y/deeper", 25)
    aged(own_folders / "registry/local/c/export/v0/files", 30)

    assert bundle.default_model() == str(finished)


@pytest.mark.parametrize("made", [True, False])
def test_without_any_bundle_the_ways_to_one_are_named(made: bool, own_folders: Path) -> None:
    if made:
        aged(own_folders / "registry/local/c/export/v0/files", 30)

    with pytest.raises(NotFoundError, match=r"no bundle below .*--model, set LIT_MODEL, .*lit-export onnx"):
        bundle.default_model()


@pytest.mark.parametrize("engine", ["onnx", "torchscript"])
def test_an_engine_that_is_named_is_taken(engine: str, tmp_path: Path) -> None:
    graphs = bundle.find(two_formats(tmp_path / "bundle"))

    assert bundle.choose(graphs, engine=engine).path.suffix == {"onnx": ".onnx", "torchscript": ".pt"}[engine]


def test_an_engine_that_a_bundle_has_no_graph_for_is_refused_with_what_it_has(bundle_folder: Path) -> None:
    with pytest.raises(UsageError, match="has no graph for the engine torchscript; it has onnx"):
        load(bundle_folder, engine="torchscript")
    with pytest.raises(UsageError, match="engine 'tvm' is not known; use auto, onnx"):
        load(bundle_folder, engine="tvm")


def several(folder: Path, *names: str) -> list[bundle.GraphFile]:
    """A bundle of graphs named as export names them, in this order: `onnx`, `onnx int8`, …"""
    make_bundle(folder)
    graphs = []
    for name in names:
        format_, _, precision = name.partition(" ")
        path = folder / f"model{'.' * bool(precision)}{precision}{ENGINES[format_].suffix}"
        path.write_bytes(b"never opened here")
        graphs.append(replace(listed(path, format_), precision=precision or "fp32"))  # type: ignore[arg-type]
    return bundle.find(rewrite(folder, graphs=tuple(graphs)))


@pytest.fixture
def all_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "is_installed", lambda _: True)


@pytest.mark.usefixtures("all_installed")
@pytest.mark.parametrize(
    ("names", "asked", "chosen"),
    [
        (["onnx int8", "onnx"], {}, "onnx"),
        (["onnx int8", "onnx"], {"precision": "int8"}, "onnx int8"),
        (["onnx int8", "openvino"], {}, "openvino"),  # fp32 goes before the preferred engine
        (["onnx int8", "openvino"], {"engine": "onnx"}, "onnx int8"),
        (["openvino int8", "onnx int8"], {"precision": "int8"}, "onnx int8"),
        (["openvino int8", "onnx int8"], {"precision": "int8", "engine": "openvino"}, "openvino int8"),
        (["onnx int8"], {}, "onnx int8"),
        (["onnx", "onnx int8"], {"precision": "auto:int8"}, "onnx int8"),
        (["onnx", "openvino int8"], {"precision": "auto:int8"}, "openvino int8"),
        (["onnx", "onnx fp16"], {"precision": "auto:int8"}, "onnx"),
        (["onnx", "openvino int8"], {"precision": "auto:int8", "engine": "onnx"}, "onnx"),
        (["tensorrt", "aotinductor", "onnx int8"], {}, "onnx int8"),  # what runs on any host goes first
        (["tensorrt", "onnx"], {"engine": "tensorrt"}, "tensorrt"),
        (["tensorrt"], {}, "tensorrt"),
        (["tensorrt", "aotinductor"], {}, "aotinductor"),
    ],
)
def test_what_is_asked_for_is_taken_and_fp32_by_the_preferred_engine_else(
    names: list[str], asked: dict[str, str], chosen: str, tmp_path: Path
) -> None:
    found = bundle.choose(several(tmp_path / "bundle", *names), **asked)

    assert found.listed is not None
    assert found.listed.label == chosen


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"precision": "int8"}, "has no int8 graph; it has onnx, onnx fp16"),
        (
            {"precision": "fp16", "engine": "openvino"},
            "no fp16 graph for the engine openvino; it has onnx, onnx fp16",
        ),
        ({"precision": "auto:int8", "engine": "openvino"}, "no int8 or fp32 graph for the engine openvino; it has"),
        ({"precision": "int4"}, "precision 'int4' is not known; use auto, fp32, fp16, bf16, int8, auto:fp16"),
    ],
)
def test_a_precision_that_is_not_there_is_refused_with_what_is(
    asked: dict[str, str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=said):
        bundle.choose(several(tmp_path / "bundle", "onnx fp16", "onnx"), **asked)


def test_a_lone_file_does_not_say_its_precision(bundle_folder: Path) -> None:
    with pytest.raises(UsageError, match=r"a graph file on its own does not say its precision\. Name its bundle"):
        load(bundle_folder / "model.onnx", precision="fp32")


def test_a_provider_stays_with_the_graph_that_is_chosen(bundle_folder: Path) -> None:
    graphs = bundle.find(bundle_folder)

    assert bundle.choose(graphs, engine="onnx:tensorrt").provider == "tensorrt"
    assert bundle.choose(graphs).provider == "auto"
    with load(bundle_folder, engine="onnx:cpu") as model:
        assert model.engine == "onnxruntime CPUExecutionProvider"
