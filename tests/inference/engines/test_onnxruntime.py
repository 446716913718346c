import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from lit_infer import manifest
from lit_infer.engines.onnxruntime import open_graph
from lit_infer.errors import EngineError, MissingExtraError
from tests.inference.tiny import colour, described, graph_bytes, without

CUDA = "CUDAExecutionProvider" in onnxruntime.get_available_providers()


def softmax(logits: np.ndarray) -> np.ndarray:
    exponents = np.exp(logits - logits.max(-1, keepdims=True))
    return exponents / exponents.sum(-1, keepdims=True)


def test_a_graph_gives_the_answers_that_arithmetic_gives(bundle_folder: Path) -> None:
    images = np.stack([colour("red"), colour("green", 7), np.full((8, 8, 3), 99, dtype=np.uint8)])

    (found,) = open_graph(bundle_folder / "model.onnx", device="cpu", threads=1).run([images])

    np.testing.assert_allclose(found, softmax(images.mean((1, 2)) / 64), rtol=1e-5)
    assert found.dtype == np.float32


def test_what_was_obtained_is_recorded(bundle_folder: Path) -> None:
    opened = open_graph(bundle_folder / "model.onnx", device="cpu", threads=1)

    assert (opened.engine, opened.device) == ("onnxruntime CPUExecutionProvider", "cpu")
    assert opened.embedded is not None
    assert manifest.decode(opened.embedded, where="graph") == described().embedded()


def test_a_graph_without_a_manifest_opens_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "foreign.onnx"
    path.write_bytes(graph_bytes(None))

    assert open_graph(path, device="cpu", threads=1).embedded is None


def test_several_threads_may_run_one_graph(bundle_folder: Path) -> None:
    run = open_graph(bundle_folder / "model.onnx", device="cpu", threads=1).run
    batches = [np.full((2, 8, 8, 3), value, dtype=np.uint8) for value in range(40)]
    expected = [run([batch])[0] for batch in batches]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda batch: run([batch])[0], batches))

    np.testing.assert_array_equal(np.stack(found), np.stack(expected))


@pytest.mark.skipif(CUDA, reason="this machine has the very device that is to be missing")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_cuda_that_is_not_here_is_refused_with_what_is_here_and_what_to_install(
    device: str, bundle_folder: Path
) -> None:
    with pytest.raises(MissingExtraError) as caught:
        open_graph(bundle_folder / "model.onnx", device=device, threads=1)

    assert f"--device {device} needs onnxruntime with CUDA" in str(caught.value)
    assert "CPUExecutionProvider" in str(caught.value)
    assert 'pip install "lit-deploy[gpu]"' in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.skipif(CUDA, reason="auto means cuda here")
def test_auto_is_the_cpu_where_there_is_nothing_else(bundle_folder: Path) -> None:
    assert open_graph(bundle_folder / "model.onnx", device="auto", threads=1).device == "cpu"


@pytest.mark.parametrize("keep", [0, 1, 100, 300])
def test_a_truncated_file_is_an_engine_error_of_one_line(keep: int, bundle_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes((bundle_folder / "model.onnx").read_bytes()[:keep])

    with pytest.raises(EngineError) as caught:
        open_graph(path, device="cpu", threads=1)

    assert str(caught.value).startswith(f"{path}: onnxruntime cannot open it: ")
    assert "\n" not in str(caught.value)


def test_what_is_no_graph_at_all_is_an_engine_error(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_text("<html>404 not found</html>")

    with pytest.raises(EngineError, match="cannot open it"):
        open_graph(path, device="cpu", threads=1)


def test_without_onnxruntime_the_command_that_installs_it_is_named(bundle_folder: Path, tmp_path: Path) -> None:
    code = "import sys; from lit_infer import load; load(sys.argv[1])"

    done = subprocess.run(
        [sys.executable, "-c", code, bundle_folder / "model.onnx"],
        env=without(tmp_path, "onnxruntime", "torch"),
        capture_output=True,
        text=True,
        check=False,
    )

    assert "MissingExtraError" in done.stderr
    assert 'needs onnxruntime, which is not installed. Run: pip install "lit-deploy[cpu]"' in done.stderr
