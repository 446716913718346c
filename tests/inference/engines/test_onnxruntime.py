import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from lit_infer import manifest
from lit_infer.engines.onnxruntime import open_graph
from lit_infer.errors import EngineError, MissingExtraError, UsageError
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


class FakeOrt:
    """An onnxruntime that has some providers, of which those in `works` are obtained, and records what was asked."""

    class SessionOptions:
        def add_session_config_entry(self, key: str, value: str) -> None:
            pass

    def __init__(self, *has: str, works: bool = True) -> None:
        self.has, self.works, self.asked = [*has, "CPUExecutionProvider"], works, []

    def get_available_providers(self) -> list[str]:
        return self.has

    def InferenceSession(self, _: Any, **asked: Any) -> Any:  # noqa: N802 - onnxruntime's name
        self.asked.append(asked["providers"])
        names = [one if isinstance(one, str) else one[0] for one in asked["providers"]]
        return SimpleNamespace(
            get_providers=lambda: names if self.works else ["CPUExecutionProvider"],
            get_modelmeta=lambda: SimpleNamespace(custom_metadata_map={}),
            get_inputs=lambda: [SimpleNamespace(name="images", shape=["batch", "height"], type="tensor(uint8)")],
            get_outputs=list,
        )

    class RunOptions:
        def add_run_config_entry(self, key: str, value: str) -> None:
            pass


TENSORRT, NVIDIA, OPENVINO = "TensorrtExecutionProvider", "CUDAExecutionProvider", "OpenVINOExecutionProvider"


@pytest.mark.parametrize(
    ("device", "provider", "first", "place"),
    [
        ("auto", "auto", NVIDIA, "cuda:0"),
        ("cpu", "auto", "CPUExecutionProvider", "cpu"),
        ("cuda", "auto", NVIDIA, "cuda:0"),
        ("cuda:1", "auto", NVIDIA, "cuda:1"),
        ("cuda:1", "tensorrt", TENSORRT, "cuda:1"),
        ("auto", "tensorrt", TENSORRT, "cuda:0"),
        ("auto", "openvino", OPENVINO, "cpu"),
        ("auto", "cpu", "CPUExecutionProvider", "cpu"),
    ],
)
def test_the_device_and_the_provider_decide_what_onnxruntime_is_asked_for(
    device: str, provider: Any, first: str, place: str
) -> None:
    ort = FakeOrt(TENSORRT, NVIDIA, OPENVINO)

    opened = open_graph(b"", device=device, threads=2, provider=provider, ort=ort)

    assert (opened.device, opened.providers[0]) == (place, first)
    (asked,) = ort.asked
    assert asked[-1] == "CPUExecutionProvider"
    if place != "cpu":
        assert {options["device_id"] for _, options in asked[:-1]} == {place.partition(":")[2]}


@pytest.mark.parametrize(
    ("device", "provider"), [("cpu", "cuda"), ("cpu", "tensorrt"), ("cuda:0", "cpu"), ("cuda", "openvino")]
)
def test_a_provider_for_another_device_is_refused(device: str, provider: Any) -> None:
    with pytest.raises(UsageError, match=f"--device {device} does not go with onnxruntime's {provider} provider"):
        open_graph(b"", device=device, threads=1, provider=provider, ort=FakeOrt(TENSORRT, NVIDIA, OPENVINO))


@pytest.mark.parametrize("provider", ["cuda", "tensorrt", "openvino"])
def test_a_provider_that_this_onnxruntime_has_not_is_refused(provider: Any) -> None:
    with pytest.raises(MissingExtraError, match="and this one has CPUExecutionProvider"):
        open_graph(b"", device="auto", threads=1, provider=provider, ort=FakeOrt())


@pytest.mark.parametrize("provider", ["cuda", "tensorrt", "openvino"])
def test_a_provider_that_cannot_load_is_never_replaced(provider: Any) -> None:
    with pytest.raises(EngineError, match="onnxruntime obtained CPUExecutionProvider"):
        open_graph(
            b"", device="auto", threads=1, provider=provider, ort=FakeOrt(TENSORRT, NVIDIA, OPENVINO, works=False)
        )


def test_auto_goes_on_without_cuda_and_says_so() -> None:
    opened = open_graph(b"", device="auto", threads=1, ort=FakeOrt(NVIDIA, works=False))

    assert opened.device == "cpu"
    assert opened.why.startswith("auto: CUDA could not be used (")


@pytest.mark.gpu
@pytest.mark.skipif(not CUDA, reason="needs onnxruntime-gpu and a CUDA device")
@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_on_a_cuda_device_the_answers_are_those_of_the_cpu(provider: Any, bundle_folder: Path) -> None:
    if provider == "tensorrt" and TENSORRT not in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has no TensorRT provider")
    images = np.stack([colour("red"), colour("green", 7), colour("blue", 30)])
    path = bundle_folder / "model.onnx"

    opened = open_graph(path, device="cuda:0", threads=1, provider=provider)

    assert opened.device == "cuda:0"
    for count in (1, 2, 3):
        (found,) = opened.run([images[:count]])
        (expected,) = open_graph(path, device="cpu", threads=1).run([images[:count]])
        np.testing.assert_allclose(found, expected, atol=1e-3)
