"""The CUDA path with a stand-in for onnxruntime: which provider is taken, how batches become buckets."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from lit_infer.engines.cuda_buckets import BUCKETS, bucket_for
from lit_infer.engines.onnxruntime import open_graph
from lit_infer.engines.opened import MANIFEST_KEY
from lit_infer.errors import EngineError, MissingExtraError, UsageError
from tests.inference.tiny import colour, described, graph_bytes

CUDA, CPU, TRT = "CUDAExecutionProvider", "CPUExecutionProvider", "TensorrtExecutionProvider"


class Session:
    """A device that gives the mean colour of each image of a bucket, and remembers the buckets' sizes."""

    def __init__(self, obtained: list[str], asked: list[Any], **facts: Any) -> None:
        self.obtained, self.asked, self.runs = obtained, asked, []
        self.first = facts.get("first", "batch")
        self.embedded = facts.get("embedded", {})

    def get_providers(self) -> list[str]:
        return self.obtained

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="images", shape=[self.first, 8, 8, 3], type="tensor(uint8)")]

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name="probabilities", shape=[self.first, 3], type="tensor(float)")]

    def get_modelmeta(self) -> Any:
        return SimpleNamespace(custom_metadata_map=self.embedded)

    def io_binding(self) -> Any:
        binding = SimpleNamespace(given=None)
        binding.bind_ortvalue_input = lambda _, value: setattr(binding, "given", value)
        binding.bind_ortvalue_output = lambda _name, _value: None
        binding.bind_output = lambda _name, _device, _id: None
        binding.copy_outputs_to_cpu = lambda: [binding.given.array.mean((1, 2), dtype=np.float32)]
        return binding

    def run_with_iobinding(self, binding: Any, options: Any) -> None:
        self.runs.append((len(binding.given.array), options.graph))


class Value:
    def __init__(self, array: np.ndarray) -> None:  # type: ignore[type-arg]
        self.array = array.copy()

    def update_inplace(self, array: np.ndarray) -> None:  # type: ignore[type-arg]
        self.array = array.copy()


class RunOptions:
    graph = ""

    def add_run_config_entry(self, key: str, value: str) -> None:
        assert key == "gpu_graph_id"
        self.graph = value


def stand_in(available: list[str], obtained: list[str] | Exception, **facts: Any) -> Any:
    """A module like onnxruntime, for a machine that has these providers. `facts`: of the graph that it opens."""
    made = SimpleNamespace(session=None)

    def session(_: Any, *, providers: list[Any], **__: Any) -> Session:
        if isinstance(obtained, Exception) and providers != [CPU]:
            raise obtained
        made.session = Session([CPU] if isinstance(obtained, Exception) else obtained, providers, **facts)
        return made.session

    value = SimpleNamespace(
        ortvalue_from_numpy=lambda array, _device, _id: Value(array),
        ortvalue_from_shape_and_type=lambda shape, dtype, _device, _id: Value(np.zeros(shape, dtype)),
    )
    return SimpleNamespace(
        get_available_providers=lambda: available,
        SessionOptions=onnxruntime.SessionOptions,
        RunOptions=RunOptions,
        OrtValue=value,
        InferenceSession=session,
        made=made,
    )


@pytest.mark.parametrize(("count", "bucket"), [(0, 1), (1, 1), (2, 2), (3, 4), (8, 8), (9, 16), (32, 32), (99, 32)])
def test_the_smallest_bucket_that_holds_a_batch_is_taken(count: int, bucket: int) -> None:
    assert bucket_for(count) == bucket


@pytest.mark.parametrize("count", [1, 3, 8, 32, 33, 70])
def test_a_batch_of_any_size_is_answered_through_warm_buckets(count: int) -> None:
    ort = stand_in([CUDA, CPU], [CUDA, CPU])
    run = open_graph(b"graph", device="cuda:1", threads=1, ort=ort).run
    warm = len(ort.made.session.runs)
    batch = np.stack([colour("green", number) for number in range(count)])

    (found,) = run([batch])

    assert found[:, 1].tolist() == list(range(count))
    assert {size for size, _ in ort.made.session.runs[:warm]} == set(BUCKETS)
    assert all(str(size) == graph for size, graph in ort.made.session.runs)


@pytest.mark.parametrize("facts", [{"embedded": {MANIFEST_KEY: '{"rows": "joined"}'}}, {"first": "time"}])
def test_nothing_is_filled_up_where_that_would_change_answers(facts: dict[str, Any]) -> None:
    ort = stand_in([CUDA, CPU], [CUDA, CPU], **facts)
    run = open_graph(b"graph", device="cuda", threads=1, ort=ort).run

    (found,) = run([np.stack([colour("green", number) for number in range(5)])])

    assert found[:, 1].tolist() == list(range(5))
    assert ort.made.session.runs == [(5, "-1")]


def test_auto_takes_cuda_and_says_why() -> None:
    opened = open_graph(b"graph", device="auto", threads=1, ort=stand_in([CUDA, CPU], [CUDA, CPU]))

    assert (opened.device, opened.providers) == ("cuda:0", (CUDA, CPU))
    assert opened.why.startswith("auto: this onnxruntime has CUDA")
    assert opened.reopen is None


def test_auto_goes_on_with_the_cpu_where_cuda_has_no_device_and_says_so() -> None:
    ort = stand_in([CUDA, CPU], RuntimeError("no CUDA-capable device is detected"))

    opened = open_graph(b"graph", device="auto", threads=1, ort=ort)

    assert opened.device == "cpu"
    assert "CUDA could not be used" in opened.why
    assert "no CUDA-capable device" in opened.why


def test_what_is_named_is_never_replaced() -> None:
    with pytest.raises(EngineError, match="asked for CUDAExecutionProvider, onnxruntime obtained CPU"):
        open_graph(b"graph", device="cuda", threads=1, ort=stand_in([CUDA, CPU], [CPU]))
    with pytest.raises(EngineError, match="no device"):
        open_graph(b"graph", device="cuda", threads=1, ort=stand_in([CUDA, CPU], RuntimeError("no device")))
    with pytest.raises(MissingExtraError, match="Tensorrt"):
        open_graph(b"graph", device="cuda", threads=1, provider="tensorrt", ort=stand_in([CUDA, CPU], [CUDA, CPU]))
    with pytest.raises(UsageError, match="does not go with"):
        open_graph(b"graph", device="cpu", threads=1, provider="cuda", ort=stand_in([CUDA, CPU], [CUDA, CPU]))


def test_tensorrt_comes_before_cuda_where_it_is_named() -> None:
    ort = stand_in([TRT, CUDA, CPU], [TRT, CUDA, CPU])

    assert open_graph(b"g", device="cuda:2", threads=1, provider="tensorrt", ort=ort).device == "cuda:2"
    assert [name if isinstance(name, str) else name[0] for name in ort.made.session.asked] == [TRT, CUDA, CPU]
    assert ort.made.session.asked[0][1]["device_id"] == "2"


@pytest.mark.gpu
@pytest.mark.skipif(CUDA not in onnxruntime.get_available_providers(), reason="needs onnxruntime-gpu and a device")
def test_the_device_answers_as_the_cpu_does() -> None:
    data = graph_bytes(described().embedded())
    batch = np.stack([colour("red"), colour("green", 77), colour("blue", 3)])

    (found,) = open_graph(data, device="cuda", threads=1).run([batch])

    np.testing.assert_allclose(found, open_graph(data, device="cpu", threads=1).run([batch])[0], rtol=1e-4)
