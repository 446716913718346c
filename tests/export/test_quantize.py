"""lit_export.quantize: int8 that answers as float32 does, in a file that is otherwise the same."""

import os
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from lit_export import quantize
from lit_export.quantize import CalibrationBatch
from lit_infer import load
from lit_infer.errors import GateError, UsageError
from lit_infer.progress import Listener, listening
from tests.export import digits_net

Images = NDArray[np.uint8]


@pytest.fixture(scope="module")
def fp32(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return digits_net.write(tmp_path_factory.mktemp("fp32") / "model.onnx")


@pytest.fixture(scope="module")
def held_out() -> tuple[Images, NDArray[np.int64]]:
    images, classes = digits_net.digits()
    return images[1::2], classes[1::2]


def batches(count: int = 128) -> Iterator[CalibrationBatch]:
    images, _ = digits_net.digits()
    for batch in np.split(images[::2][:count], range(8, count, 8)):
        yield CalibrationBatch({"images": batch}, len(batch))


def answers(path: Path, images: Images) -> NDArray[np.float32]:
    return load(path, device="cpu").run({"images": images})["probabilities"]


def quantized(graph: Path) -> set[str]:
    """The weights that are int8 in a file."""
    return {entry.name for entry in onnx.load(graph).graph.initializer if entry.data_type == TensorProto.INT8}


def test_int8_loses_at_most_half_a_point(
    fp32: Path, tmp_path: Path, held_out: tuple[Images, NDArray[np.int64]]
) -> None:
    made = quantize.int8(fp32, tmp_path / "int8.onnx", calibration=batches())
    assert (made.calibration_images, made.kept) == (128, ())
    images, classes = held_out
    before, after = (
        float((answers(path, images).argmax(-1) == classes).mean()) for path in (fp32, tmp_path / "int8.onnx")
    )
    assert before > 0.9
    assert after >= before - 0.005
    weights = {name.removesuffix("_quantized") for name in quantized(tmp_path / "int8.onnx") if "weight_q" in name}
    assert weights == {"conv1.weight", "conv2.weight", "fc.weight"}


def test_all_but_the_numbers_is_as_in_the_float_file(fp32: Path, tmp_path: Path) -> None:
    quantize.int8(fp32, tmp_path / "int8.onnx", calibration=batches())
    before, after = onnx.load(fp32), onnx.load(tmp_path / "int8.onnx", load_external_data=False)
    for field in ("metadata_props", "ir_version", "opset_import", "producer_name"):
        assert getattr(after, field) == getattr(before, field)
    assert list(after.graph.input) == list(before.graph.input)
    assert list(after.graph.output) == list(before.graph.output)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["int8.onnx"]
    assert str(tmp_path).encode() not in (tmp_path / "int8.onnx").read_bytes()


def test_normalisation_logits_and_softmax_stay_float(fp32: Path, tmp_path: Path) -> None:
    quantize.int8(fp32, tmp_path / "int8.onnx", calibration=batches())
    nodes = onnx.load(tmp_path / "int8.onnx").graph.node
    first = next(place for place, node in enumerate(nodes) if node.op_type == "QuantizeLinear")
    assert nodes[first].input[0] == "normal"
    maker = {name: node.op_type for node in nodes for name in node.output}
    softmax = next(node for node in nodes if node.op_type == "Softmax")
    assert maker[softmax.input[0]] == "Gemm"


def test_logits_that_are_the_output_stay_float(tmp_path: Path) -> None:
    fp32 = digits_net.write(tmp_path / "logits.onnx", output="logits")
    quantize.int8(fp32, tmp_path / "int8.onnx", calibration=batches())
    graph = onnx.load(tmp_path / "int8.onnx").graph
    assert next(node.op_type for node in graph.node if "logits" in node.output) == "Gemm"


def test_two_processes_write_the_same_bytes(fp32: Path, tmp_path: Path) -> None:
    script = (
        "import sys, numpy as np; from pathlib import Path; from lit_export import quantize;"
        "images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 1)).astype('uint8');"
        "batch = quantize.CalibrationBatch({'images': images}, 8);"
        "quantize.int8(Path(sys.argv[1]), Path(sys.argv[2]), calibration=[batch])"
    )
    for seed in ("1", "2"):
        line = [sys.executable, "-c", script, str(fp32), str(tmp_path / seed)]
        done = subprocess.run(line, check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed})
        assert (done.stdout, done.stderr) == (b"", b"")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_calibration_holds_one_batch_at_a_time(fp32: Path, tmp_path: Path) -> None:
    given: list[weakref.ref[Images]] = []

    def one_by_one() -> Iterator[CalibrationBatch]:
        for batch in batches(64):
            fresh = batch.inputs["images"].copy()
            given.append(weakref.ref(fresh))
            yield CalibrationBatch({"images": fresh}, len(fresh))
            del fresh
            assert sum(reference() is not None for reference in given) <= 1

    quantize.int8(fp32, tmp_path / "int8.onnx", calibration=one_by_one())


def test_few_calibration_images_are_said(fp32: Path, tmp_path: Path) -> None:
    notes: list[str] = []
    with listening(Listener(note=notes.append)):
        made = quantize.int8(fp32, tmp_path / "int8.onnx", calibration=batches(40))
    assert made.calibration_images == 40
    assert len(notes) == 1
    assert "40 inputs; give at least 128" in notes[0]


def test_no_calibration_images_are_refused(fp32: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--calibration"):
        quantize.int8(fp32, tmp_path / "int8.onnx", calibration=[])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("keep", "float_weights", "kept"),
    [
        (["fc"], {"fc.weight"}, ("fc",)),
        (["conv*"], {"conv1.weight", "conv2.weight"}, ("conv1", "conv2")),
        (["Gemm", "node_conv1"], {"fc.weight", "conv1.weight"}, ("conv1", "fc")),
        (["Add"], set(), ("node_add",)),
    ],
)
def test_layers_are_kept_by_module_node_or_operator(
    fp32: Path, tmp_path: Path, keep: list[str], float_weights: set[str], kept: tuple[str, ...]
) -> None:
    made = quantize.int8(fp32, tmp_path / "int8.onnx", calibration=batches(8), in_float=keep)
    assert made.kept == kept
    entries = onnx.load(tmp_path / "int8.onnx").graph.initializer
    assert {entry.name for entry in entries if entry.name.endswith(".weight")} == float_weights


def test_a_name_that_keeps_nothing_is_refused(fp32: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no layer is called conv9; nearest: conv"):
        quantize.int8(fp32, tmp_path / "int8.onnx", calibration=batches(8), in_float=["conv9"])


def test_keeping_every_layer_is_refused(fp32: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing left to quantize: Conv, fc leave every layer"):
        quantize.int8(fp32, tmp_path / "int8.onnx", calibration=batches(8), in_float=["Conv", "fc"])


def test_the_worst_layers_are_restored_until_the_file_is_accepted(
    fp32: Path, tmp_path: Path, held_out: tuple[Images, NDArray[np.int64]]
) -> None:
    truth = answers(fp32, held_out[0])
    changes: list[float] = []

    def accept(candidate: Path) -> bool:
        changes.append(float(np.abs(answers(candidate, held_out[0]) - truth).mean()))
        return changes[-1] < 0.95 * changes[0]

    notes: list[str] = []
    with listening(Listener(note=notes.append)):
        made = quantize.int8(fp32, tmp_path / "int8.onnx", calibration=batches(), accept=accept)
    assert 1 <= len(made.kept) <= 2
    assert float(np.abs(answers(tmp_path / "int8.onnx", held_out[0]) - truth).mean()) < 0.95 * changes[0]
    assert all(name in notes[-1] for name in made.kept)


def test_no_file_is_left_of_what_is_never_accepted(fp32: Path, tmp_path: Path) -> None:
    seen: list[bool] = []

    def refuse(candidate: Path) -> bool:
        seen.append(candidate.is_file())
        return False

    with pytest.raises(GateError, match="loses too much even with 2 of 4 layers"):
        quantize.int8(fp32, tmp_path / "int8.onnx", calibration=batches(), accept=refuse)
    assert seen == [True] * 3
    assert list(tmp_path.iterdir()) == []


def test_a_graph_without_weights_is_refused(tmp_path: Path) -> None:
    shape = ["batch", 4, 4, 1]
    graph = helper.make_graph(
        [helper.make_node("Cast", ["images"], ["pixels"], "cast", to=TensorProto.FLOAT)],
        "cast",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, shape)],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), tmp_path / "a.onnx")
    with pytest.raises(GateError, match="nothing to quantize"):
        quantize.int8(tmp_path / "a.onnx", tmp_path / "int8.onnx", calibration=batches(8))


@pytest.mark.parametrize("most", range(12))
def test_the_fewest_layers_that_do_are_found(most: int) -> None:
    def from_on(least: int) -> Callable[[int], bool]:
        return lambda count: count >= least

    for least in range(1, 14):
        expected = least if least <= most else None
        assert quantize._fewest(most, from_on(least)) == expected


def test_weights_of_rows_become_int8_without_calibration(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    weights = {"w": (4, 64), "v": (64, 2)}
    nodes = [
        helper.make_node("Gemm", ["rows", "w"], ["h"], name="first"),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "v"], ["values"], name="second"),
    ]
    graph = helper.make_graph(
        nodes,
        "rows",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("values", TensorProto.FLOAT, ["batch", 2])],
        [
            onnx.numpy_helper.from_array(generator.normal(size=shape).astype(np.float32), name)
            for name, shape in weights.items()
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), tmp_path / "a.onnx")
    rows = generator.normal(size=(32, 4)).astype(np.float32)

    made = quantize.dynamic(tmp_path / "a.onnx", tmp_path / "b.onnx")

    one, other = (_run(tmp_path / name, rows) for name in ("a.onnx", "b.onnx"))
    assert np.abs(one - other).max() < 0.05 * np.abs(one).max()
    assert made.calibration_images == 0
    assert [node.op_type for node in onnx.load(tmp_path / "b.onnx").graph.node].count("MatMulInteger") == 2


def _run(path: Path, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found: NDArray[np.float32] = session.run(None, {"rows": rows})[0]
    return found
