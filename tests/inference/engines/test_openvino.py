"""OpenVINO graphs, converted here from the tiny ONNX graph."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openvino
import pytest

from lit_infer import load, manifest
from lit_infer.engines.opened import MANIFEST_KEY
from lit_infer.engines.openvino import PRECISION_KEY, open_graph
from lit_infer.errors import ArtifactError, EngineError
from tests.inference.tiny import colour, described, graph_bytes

HAS_BF16 = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as OpenVINO's two files, with its manifest."""
    return converted(tmp_path_factory.mktemp("graphs"), manifest.encode(described().embedded()).decode())


def converted(folder: Path, embedded: str | None, *, precision: str = "fp32", fp16: bool = False) -> Path:
    (folder / "model.onnx").write_bytes(graph_bytes(None))
    model = openvino.Core().read_model(folder / "model.onnx")
    if embedded is not None:
        model.set_rt_info(embedded, MANIFEST_KEY)
    model.set_rt_info(precision, PRECISION_KEY)
    openvino.save_model(model, folder / "model.xml", compress_to_fp16=fp16)
    return folder / "model.xml"


def test_a_graph_answers_as_the_onnx_graph_of_the_same_model(graph: Path, bundle_folder: Path) -> None:
    items = [colour("red"), colour("green", 80), colour("blue", 3)]

    found = load(graph, device="cpu", threads=1).predict(items)
    expected = load(bundle_folder, device="cpu", threads=1).predict(items)

    assert [one.label for one in found] == [one.label for one in expected] == ["red", "green", "blue"]
    np.testing.assert_allclose([one.score for one in found], [one.score for one in expected], rtol=1e-5)


def test_what_was_obtained_and_what_the_file_says_of_itself_are_recorded(graph: Path) -> None:
    opened = open_graph(graph, device="auto", threads=2)

    assert opened.engine.startswith("openvino 20")
    assert opened.engine.endswith(" CPU f32")
    assert opened.device == "cpu"
    assert opened.embedded is not None
    assert manifest.decode(opened.embedded, where="graph") == described().embedded()


@pytest.mark.parametrize("wished", ["fp32", "fp16", "int8"])
def test_openvino_does_not_choose_bfloat16_by_itself(wished: str, tmp_path: Path) -> None:
    path = converted(tmp_path, None, precision=wished, fp16=wished == "fp16")

    assert open_graph(path, device="cpu", threads=1).engine.endswith(" f32")


def test_a_graph_proven_in_bfloat16_runs_in_it_or_is_refused(tmp_path: Path) -> None:
    path = converted(tmp_path, None, precision="bf16")

    try:
        outcome = open_graph(path, device="cpu", threads=1).engine
    except EngineError as error:
        outcome = str(error)

    refused = "was proven in bf16, and this CPU runs it in f32" in outcome
    # With AVX-512 alone OpenVINO computes in it, and does not list it as a capability.
    assert outcome.endswith(" bf16") or (refused and not HAS_BF16)


@pytest.mark.parametrize("threads", [1, 2])
def test_several_threads_may_run_one_graph(threads: int, graph: Path) -> None:
    run = open_graph(graph, device="cpu", threads=threads).run
    batches = [np.full((2, 8, 8, 3), value, dtype=np.uint8) for value in range(40)]
    expected = [run([batch])[0] for batch in batches]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda batch: run([batch])[0], batches))

    np.testing.assert_array_equal(np.stack(found), np.stack(expected))


def test_outputs_come_in_the_order_of_the_manifest_not_of_the_file(tmp_path: Path) -> None:
    from openvino import opset13 as ops

    pixels = ops.parameter([-1, 2], np.float32, name="x")
    model = openvino.Model([ops.multiply(pixels, np.float32(2)), ops.multiply(pixels, np.float32(3))], [pixels], "two")
    for port, name in ((model.input(0), "x"), (model.output(0), "double"), (model.output(1), "triple")):
        port.tensor.set_names({name})
    tensors = {
        name: manifest.Tensor(name=name, dtype="float32", shape=("batch", 2)) for name in ("x", "double", "triple")
    }
    facts = described(
        task="tensor",
        inputs=(tensors["x"],),
        outputs=(tensors["triple"], tensors["double"]),
        labels=None,
        preprocess=(),
    )
    model.set_rt_info(manifest.encode(facts.embedded()).decode(), MANIFEST_KEY)
    openvino.save_model(model, tmp_path / "model.xml", compress_to_fp16=False)

    answers = load(tmp_path / "model.xml", device="cpu").run({"x": np.ones((1, 2), dtype=np.float32)})

    assert {name: array.tolist() for name, array in answers.items()} == {"triple": [[3, 3]], "double": [[2, 2]]}


def test_a_manifest_of_another_graph_is_refused(tmp_path: Path) -> None:
    tensor = manifest.Tensor(name="logits", dtype="float32", shape=("batch", 3))
    path = converted(tmp_path, manifest.encode(described(outputs=(tensor,)).embedded()).decode())

    with pytest.raises(EngineError, match="its manifest names a tensor that the graph lacks"):
        open_graph(path, device="cpu", threads=1)


def test_a_graph_without_a_manifest_opens_but_is_no_model(tmp_path: Path) -> None:
    path = converted(tmp_path, None)

    assert open_graph(path, device="cpu", threads=1).embedded is None
    with pytest.raises(ArtifactError, match="carries no lit-deploy manifest"):
        load(path, device="cpu")


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_cuda_is_refused(device: str, graph: Path) -> None:
    with pytest.raises(EngineError, match=rf"OpenVINO runs on the CPU, not on {device}\. Use --device cpu"):
        open_graph(graph, device=device, threads=1)


def test_without_the_bin_file_the_error_is_of_one_line(tmp_path: Path) -> None:
    path = converted(tmp_path, None)
    path.with_suffix(".bin").unlink()

    with pytest.raises(ArtifactError, match=r"model\.bin is missing\. Export or fetch the bundle again"):
        open_graph(path, device="cpu", threads=1)


@pytest.mark.parametrize("keep", [0, 10, 500])
def test_a_truncated_file_is_an_engine_error_of_one_line(keep: int, graph: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.xml"
    path.write_bytes(graph.read_bytes()[:keep])
    path.with_suffix(".bin").write_bytes(graph.with_suffix(".bin").read_bytes())

    with pytest.raises(EngineError) as caught:
        open_graph(path, device="cpu", threads=1)

    assert str(caught.value).startswith(f"{path}: OpenVINO cannot open it: ")
    assert "\n" not in str(caught.value)


def test_what_is_no_graph_is_not_tried_as_one_of_another_framework(tmp_path: Path) -> None:
    path = tmp_path / "model.xml"
    path.write_text("<html>404 not found</html>")

    with pytest.raises(EngineError, match="it is not an OpenVINO model"):
        open_graph(path, device="cpu", threads=1)


def test_an_input_of_another_shape_is_an_error_of_one_line(graph: Path) -> None:
    run = open_graph(graph, device="cpu", threads=1).run

    with pytest.raises(EngineError) as caught:
        run([np.zeros((1, 8, 9, 3), dtype=np.uint8)])

    assert "\n" not in str(caught.value)
