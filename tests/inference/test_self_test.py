"""A bundle is tested where it is to run: with what it brings, on the engines that are here."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from rich.console import Console

from lit_infer import files, load, manifest
from lit_infer.engines.opened import MANIFEST_KEY
from lit_infer.errors import ArtifactError, NotFoundError, UsageError
from lit_infer.manifest import Graph, Proof, Tensor
from lit_infer.self_test import GraphTest, SelfTest, golden_limit, lines, self_test, table
from tests.inference.tiny import described, graph_bytes, listed, make_bundle, rewrite, without
from tests.support.golden import PARITY, golden, with_graphs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The tiny bundle with its golden answers, and the parity that export records."""
    made = make_bundle(tmp_path / "colours")
    np.savez(made / "golden.npz", **golden())
    return with_graphs(made, parity=PARITY)


def openvino_graph(bundle: Path) -> Graph:
    """The same model as OpenVINO's files, beside the ONNX file."""
    import openvino

    model, weights = openvino.Core().read_model(bundle / "model.onnx"), bundle / "model.bin"
    model.set_rt_info(manifest.encode(manifest.read(bundle).embedded()).decode(), MANIFEST_KEY)
    openvino.save_model(model, bundle / "model.xml", compress_to_fp16=False)
    graph = listed(bundle / "model.xml", "openvino")
    size = (graph.bytes or 0) + weights.stat().st_size
    return replace(graph, parity=PARITY, bytes=size, companions={weights.name: files.sha256(weights)})


def test_a_whole_bundle_passes_with_what_was_obtained(folder: Path) -> None:
    result = self_test(folder, device="cpu")

    assert result.ok
    assert result.model == manifest.read(folder).identity()
    (onnx,) = result.graphs
    assert (onnx.graph, onnx.file, onnx.status, onnx.reason) == ("onnx", "model.onnx", "ok", "")
    assert (onnx.engine, onnx.device) == (load(folder, device="cpu").engine, "cpu")
    assert onnx.max_abs is not None
    assert onnx.max_abs < 1e-6
    assert onnx.agreement == 1.0
    assert onnx.seconds > 0


def test_where_the_outputs_hardly_vary_there_is_no_agreement_and_it_is_said(folder: Path) -> None:
    result = self_test(rewrite(folder, proof=Proof(inputs="noise", rows=14, varies=False)), device="cpu")

    assert result.ok
    assert result.graphs[0].agreement is None
    assert lines(result)[-1].endswith(
        "answers as it did at export: 1 ok (its outputs hardly vary, so this shows little)"
    )


def test_every_graph_that_an_engine_here_runs_is_tested(folder: Path) -> None:
    with_graphs(folder, openvino_graph(folder))

    result = self_test(folder, device="cpu")

    assert [(graph.graph, graph.status) for graph in result.graphs] == [("onnx", "ok"), ("openvino", "ok")]


def test_one_engine_may_be_named(folder: Path) -> None:
    with_graphs(folder, openvino_graph(folder))

    assert [graph.graph for graph in self_test(folder, device="cpu", engine="openvino").graphs] == ["openvino"]
    with pytest.raises(UsageError, match=r"has no pt2 graph; it has model\.onnx, model\.xml"):
        self_test(folder, engine="pt2")
    with pytest.raises(UsageError, match="engine 'triton' is not known"):
        self_test(folder, engine="triton")


def test_a_graph_that_answers_otherwise_fails_with_how_far_it_is(folder: Path) -> None:
    wrong = golden()
    wrong["probabilities"][2] = [0.8, 0.1, 0.1]
    np.savez(folder / "golden.npz", **wrong)

    result = self_test(folder, device="cpu")

    assert not result.ok
    assert result.graphs[0].status == "failed"
    assert "differs from the eager module by up to 0.4" in result.graphs[0].reason
    assert result.graphs[0].agreement == 0.75


def test_the_tolerance_is_that_under_which_the_graph_was_proven(folder: Path) -> None:
    near = golden()
    near["probabilities"][0] += [0.01, -0.01, 0.0]
    np.savez(folder / "golden.npz", **near)

    assert not self_test(folder, device="cpu").ok

    with_graphs(folder, parity=replace(PARITY, atol=0.05), precision="fp16")
    assert self_test(folder, device="cpu").ok


def test_an_int8_graph_is_held_to_what_was_measured_at_export(folder: Path) -> None:
    near = golden()
    near["probabilities"][0] += [0.02, -0.02, 0.0]
    np.savez(folder / "golden.npz", **near)
    loose = replace(PARITY, atol=1.0, rtol=0.0)

    with_graphs(folder, parity=replace(loose, max_abs=0.02), precision="int8")
    assert self_test(folder, device="cpu").ok

    with_graphs(folder, parity=replace(loose, max_abs=0.001), precision="int8")
    assert not self_test(folder, device="cpu").ok


def test_nan_fails(folder: Path) -> None:
    from onnx import load_model, numpy_helper, save_model

    model = load_model(folder / "model.onnx")
    weights = next(one for one in model.graph.initializer if one.name == "weights")
    weights.CopyFrom(numpy_helper.from_array(np.full((3, 3), np.nan, dtype=np.float32), "weights"))
    save_model(model, folder / "model.onnx")
    rewrite(folder, graphs=(replace(listed(folder / "model.onnx", "onnx"), parity=PARITY),))

    assert self_test(folder, device="cpu").graphs[0].reason == "it answers NaN or infinity"


def test_a_graph_that_was_changed_fails_and_the_others_are_still_tested(folder: Path) -> None:
    with_graphs(folder, openvino_graph(folder))
    (folder / "model.onnx").write_bytes(graph_bytes(None))

    result = self_test(folder, device="cpu")

    assert [(graph.graph, graph.status) for graph in result.graphs] == [("onnx", "failed"), ("openvino", "ok")]
    assert "is not the file that its manifest describes" in result.graphs[0].reason
    assert not result.ok


def test_a_graph_without_recorded_parity_fails(folder: Path) -> None:
    with_graphs(folder, parity=None)

    assert "does not record its difference" in self_test(folder, device="cpu").graphs[0].reason


def test_what_was_compiled_for_another_host_is_skipped_unless_it_is_named(folder: Path) -> None:
    (folder / "model.aoti.pt2").write_bytes(b"native code")
    with_graphs(folder, replace(listed(folder / "model.aoti.pt2", "aotinductor"), parity=PARITY))

    result = self_test(folder, device="cpu")

    assert result.ok
    assert [(graph.graph, graph.status) for graph in result.graphs] == [("onnx", "ok"), ("aotinductor", "skipped")]
    assert "holds native code" in result.graphs[1].reason
    assert [graph.status for graph in self_test(folder, engine="aotinductor").graphs] == ["failed"]


def test_without_torch_onnx_is_tested_and_what_needs_torch_is_skipped(folder: Path, tmp_path: Path) -> None:
    (folder / "model.pt").write_bytes(b"torchscript")
    with_graphs(folder, replace(listed(folder / "model.pt", "torchscript"), parity=PARITY))
    code = """
import sys
from lit_infer.self_test import lines, self_test
result = self_test(sys.argv[1], device="cpu")
print(result.ok, [graph.status for graph in result.graphs], result.graphs[1].reason)
"""

    done = subprocess.run(
        [sys.executable, "-c", code, folder],
        env=without(tmp_path / "hidden", "torch", "onnx", "openvino"),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == ("True ['ok', 'skipped'] it needs torch. Run: pip install \"lit-deploy[torch]\"\n"), (
        done.stderr
    )


def test_if_nothing_could_be_tested_the_bundle_is_not_ok() -> None:
    skipped = GraphTest("tensorrt", "model.engine", "skipped", "it needs tensorrt")

    assert not SelfTest("m@0", (skipped,)).ok


def test_a_lone_graph_file_has_no_golden_answers(folder: Path) -> None:
    with pytest.raises(UsageError, match="is a lone graph file; a self-test needs its bundle"):
        self_test(folder / "model.onnx")
    with pytest.raises(NotFoundError, match="no model at"):
        self_test(folder / "nothing")
    with pytest.raises(UsageError, match="device 'gpu' is not known"):
        self_test(folder, device="gpu")


def object_array() -> Any:
    return {**golden(), "probabilities": np.array([{"an": "object"}], dtype=object)}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": golden()["images"]}, "holds images, its manifest has images, probabilities"),
        ({**golden(), "more": np.zeros(1)}, "holds images, more, probabilities, its manifest has"),
        ({**golden(), "images": golden()["images"].astype(np.int16)}, r"images is int16 \[4, 8, 8, 3\], its manifest"),
        ({**golden(), "images": golden()["images"][:, :7]}, r"images is uint8 \[4, 7, 8, 3\], its manifest has uint8"),
        ({**golden(), "images": golden()["images"][:3]}, r"probabilities is float32 \[4, 3\], its manifest has"),
        (object_array(), "is damaged .*Object arrays cannot be loaded"),
    ],
    ids=["no answers", "more", "another dtype", "another size", "another batch", "a pickle"],
)
def test_golden_answers_of_another_model_are_refused(arrays: Any, message: str, folder: Path) -> None:
    np.savez(folder / "golden.npz", **arrays)

    with pytest.raises(ArtifactError, match=message):
        self_test(folder)


@pytest.mark.parametrize("keep", [0, 100, 500])
def test_damaged_golden_answers_are_refused(keep: int, folder: Path) -> None:
    path = folder / "golden.npz"
    path.write_bytes(path.read_bytes()[:keep])

    with pytest.raises(ArtifactError, match=r"golden\.npz is damaged"):
        self_test(folder)


def test_missing_golden_answers_are_refused(folder: Path) -> None:
    (folder / "golden.npz").unlink()
    with pytest.raises(ArtifactError, match=r"golden\.npz is missing"):
        self_test(folder)

    rewrite(folder, golden=None)
    with pytest.raises(ArtifactError, match="has no golden answers to test against"):
        self_test(folder)


def test_a_golden_file_that_would_fill_the_memory_is_refused_before_it_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lit_infer.self_test._LEAST_GOLDEN_BYTES", 500)
    monkeypatch.setattr("lit_infer.self_test._GOLDEN_ROWS", 1)

    with pytest.raises(ArtifactError, match="this is not a golden"):
        self_test(folder)


def test_more_rows_than_a_test_needs_are_refused_before_they_are_unpacked(folder: Path) -> None:
    images = np.zeros((400_000, 8, 8, 3), dtype=np.uint8)  # 77 MB, and 100 KB in the file
    np.savez_compressed(folder / "golden.npz", images=images, probabilities=golden()["probabilities"])

    with pytest.raises(ArtifactError, match="would unpack to more than 64 MB"):
        self_test(folder)


def test_what_a_model_with_large_answers_needs_is_taken() -> None:
    images = Tensor(name="images", dtype="uint8", shape=("batch", 1024, 1024, 3))
    masks = Tensor(name="masks", dtype="float32", shape=("batch", 1024, 1024, 5))

    limit = golden_limit(described(task="tensor", labels=None, preprocess=(), inputs=(images,), outputs=(masks,)))

    assert limit == 64 * 1024 * 1024 * (3 + 4 * 5)


def shown(result: SelfTest) -> str:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table(result))
    return console.export_text()


def test_the_table_has_a_row_per_graph_and_the_lines_say_what_failed() -> None:
    result = SelfTest(
        "colours@012345678901",
        (
            GraphTest("onnx", "model.onnx", "ok", "", "onnxruntime CPU", "cpu", 1.2e-7, 1e-6, 1.0, 0.41),
            GraphTest("onnx int8", "model.int8.onnx", "failed", "it answers [NaN]"),
        ),
    )

    text = shown(result)

    assert "1.2e-07       100%     0.41" in text
    assert lines(result) == [
        "onnx int8 failed: it answers [NaN]",
        "colours@012345678901 should not be used here: 1 ok, 1 failed",
    ]


def test_a_passing_test_says_so(folder: Path) -> None:
    result = self_test(folder, device="cpu")

    assert lines(result) == [f"{result.model} answers as it did at export: 1 ok"]
