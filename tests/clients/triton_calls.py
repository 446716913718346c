"""What tritonclient's four clients have in common. Runs in tritonclient's environment, against a running lit-serve."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from tests.clients import right, triton_ways
from tests.clients.triton_ways import Way

EXTENSIONS = {"binary_tensor_data", "classification", "model_configuration", "model_repository", "statistics"}


@pytest.fixture(scope="module", params=triton_ways.NAMES)
def way(request: pytest.FixtureRequest) -> Way:
    return triton_ways.way(request.param)


def images(way: Way) -> list[Any]:
    return [way.tensor("images", right.IMAGES, "UINT8")]


def files(way: Way, *contents: bytes) -> list[Any]:
    return [way.tensor("images", np.array(contents, dtype=np.object_), "BYTES")]


def pair(way: Way) -> list[Any]:
    return [way.tensor("x", right.X, "FP32"), way.tensor("y", right.Y, "FP32")]


def refused(call: Callable[[], Any]) -> str:
    """The server's text, as the client raises it."""
    with pytest.raises(InferenceServerException) as raised:
        call()
    text: str = raised.value.message()
    assert "exception occurred in the client" not in text
    return text


def counted(way: Way, name: str, *version: str) -> dict[str, tuple[int, int]]:
    """Requests answered and failed, by version."""
    found = {}
    for one in way.told("get_inference_statistics", name, *version)["model_stats"]:
        stats = one["inference_stats"]
        found[one["version"]] = (int(stats["success"].get("count", 0)), int(stats.get("fail", {}).get("count", 0)))
    return found


def test_health(way: Way) -> None:
    assert way.is_server_live() is True
    assert way.is_server_ready() is True


@pytest.mark.parametrize("model", [("colours",), ("colours", "1"), ("colours", "2"), ("pair",)])
def test_model_ready(way: Way, model: tuple[str, ...]) -> None:
    assert way.is_model_ready(*model) is True


def test_server_metadata(way: Way) -> None:
    found = way.told("get_server_metadata")

    assert found["name"] == "lit-serve"
    assert found["version"].count(".") == 2
    assert set(found["extensions"]) >= EXTENSIONS


@pytest.mark.parametrize("version", ["", "1", "2"])
def test_model_metadata(way: Way, version: str) -> None:
    found = way.told("get_model_metadata", "colours", version)

    assert (found["name"], found["versions"]) == ("colours", ["1", "2"])
    assert [(one["name"], one["datatype"], [int(side) for side in one["shape"]]) for one in found["inputs"]] == [
        ("images", "UINT8", [-1, 8, 8, 3])
    ]
    assert [(one["name"], one["datatype"], [int(side) for side in one["shape"]]) for one in found["outputs"]] == [
        ("probabilities", "FP32", [-1, 3])
    ]


@pytest.mark.parametrize("version", ["", "1"])
def test_model_config(way: Way, version: str) -> None:
    found = way.told("get_model_config", "pair", version)

    assert (found["name"], found["backend"], found["max_batch_size"]) == ("pair", "lit-deploy", 64)
    for kind, names in (("input", ["x", "y"]), ("output", ["sum", "difference"])):
        described = [(one["name"], one["data_type"], [int(side) for side in one["dims"]]) for one in found[kind]]
        assert described == [(name, "TYPE_FP32", [4]) for name in names]


def test_the_config_of_a_model_that_takes_pictures_names_their_type(way: Way) -> None:
    (found,) = way.told("get_model_config", "colours/images")["input"]

    assert (found["name"], found["data_type"]) == ("images", "TYPE_STRING")


def test_repository_index(way: Way) -> None:
    found = way.told("get_model_repository_index")

    assert [(one["name"], one["version"], one["state"]) for one in found] == [
        ("colours", "1", "READY"),
        ("colours", "2", "READY"),
        ("pair", "1", "READY"),
    ]


def test_statistics_count_what_was_asked(way: Way) -> None:
    before = counted(way, "colours")
    way.infer("colours", images(way), "1")
    refused(lambda: way.infer("colours", files(way, b"no image"), "1"))
    after = counted(way, "colours")

    assert after["1"] == (before["1"][0] + 1, before["1"][1] + 1)
    assert after["2"] == before["2"]
    assert counted(way, "colours", "1") == {"1": after["1"]}
    assert len(way.told("get_inference_statistics")["model_stats"]) == 3


def test_a_prepared_tensor(way: Way) -> None:
    result = way.infer("colours", images(way))

    assert right.is_right(result.as_numpy("probabilities"))
    assert result.as_numpy("nothing") is None


def test_image_files(way: Way) -> None:
    assert right.is_right(way.infer("colours", files(way, *right.FILES)).as_numpy("probabilities"))


def test_several_inputs_and_outputs(way: Way) -> None:
    every = way.infer("pair", pair(way))
    one = way.infer("pair", pair(way), outputs=[way.wanted("difference")])

    assert np.array_equal(every.as_numpy("sum"), right.X + right.Y)
    assert np.array_equal(every.as_numpy("difference"), right.X - right.Y)
    assert np.array_equal(one.as_numpy("difference"), right.X - right.Y)
    assert one.as_numpy("sum") is None


@pytest.mark.parametrize(("version", "answers"), [("1", 1), ("2", 2), ("", 2)])
def test_classification_of_each_version(way: Way, version: str, answers: int) -> None:
    outputs = [way.wanted("probabilities", class_count=2)]

    result = way.infer("colours", images(way), version, outputs=outputs)

    assert right.classes_are_right(result.as_numpy("probabilities"), version=answers)


def test_the_request_id_comes_back(way: Way) -> None:
    response = way.infer("colours", images(way), request_id="seven").get_response()

    assert (response.id if way.is_grpc else response["id"]) == "seven"


def test_priority_and_timeout(way: Way) -> None:
    result = way.infer("colours", images(way), priority=1, timeout=5_000_000)

    assert right.is_right(result.as_numpy("probabilities"))
    assert "timeout" in refused(lambda: way.infer("colours", images(way), timeout=1))


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (("nothing",), "no model nothing here"),
        (("colours", "9"), "no version 9 of model colours here"),
    ],
)
def test_a_model_that_is_not_there(way: Way, model: tuple[str, ...], text: str) -> None:
    name, version = model[0], "".join(model[1:])

    assert text in refused(lambda: way.infer(name, images(way), version))
    assert text in refused(lambda: way.get_model_metadata(*model))
    assert text in refused(lambda: way.get_model_config(*model))
    assert text in refused(lambda: way.get_inference_statistics(*model))
    if way.is_grpc:
        assert text in refused(lambda: way.is_model_ready(*model))
    else:
        assert way.is_model_ready(*model) is False


def test_an_input_that_does_not_fit(way: Way) -> None:
    narrow = way.tensor("images", right.IMAGES[:, :, :7], "UINT8")
    signed = way.tensor("images", right.IMAGES.astype(np.int8), "INT8")
    named = way.tensor("pictures", right.IMAGES, "UINT8")

    assert "not [3, 8, 7, 3]" in refused(lambda: way.infer("colours", [narrow]))
    assert "input images must be UINT8, not INT8" in refused(lambda: way.infer("colours", [signed]))
    assert "colours takes images, not pictures" in refused(lambda: way.infer("colours", [named]))
    assert "item 1: not an image" in refused(lambda: way.infer("colours", files(way, right.FILES[0], b"text")))
    assert "answers probabilities, not logits" in refused(
        lambda: way.infer("colours", images(way), outputs=[way.wanted("logits")])
    )


def test_unload_and_load(way: Way) -> None:
    way.unload_model("pair")
    assert way.is_model_ready("pair") is False
    assert "unloaded" in refused(lambda: way.infer("pair", pair(way)))
    assert [one["state"] for one in way.told("get_model_repository_index")] == ["READY", "READY", "UNAVAILABLE"]

    way.load_model("pair")
    assert way.is_model_ready("pair") is True
    assert np.array_equal(way.infer("pair", pair(way)).as_numpy("sum"), right.X + right.Y)
    assert "no model nothing here" in refused(lambda: way.load_model("nothing"))
    assert "no model nothing here" in refused(lambda: way.unload_model("nothing"))


def not_here(way: Way) -> Iterator[Callable[[], Any]]:
    """Calls for parts of the protocol that we do not advertise."""
    yield lambda: way.infer("colours", images(way), sequence_id=1, sequence_start=True)
    yield lambda: way.load_model("pair", config="{}")
    yield lambda: way.load_model("pair", config="{}", files={"file:1/model.onnx": b"bytes"})
    yield way.get_log_settings
    yield lambda: way.update_log_settings({"log_info": True})
    yield way.get_trace_settings
    yield lambda: way.get_trace_settings("pair")
    yield lambda: way.update_trace_settings("pair", {"trace_rate": "1"})
    for kind in ("system", "cuda"):
        yield getattr(way, f"get_{kind}_shared_memory_status")
        yield getattr(way, f"unregister_{kind}_shared_memory")
    yield lambda: way.register_system_shared_memory("region", "/key", 64)
    yield lambda: way.register_cuda_shared_memory("region", b"aGFuZGxl", 0, 64)


def test_what_is_not_here_is_said(way: Way) -> None:
    for call in not_here(way):
        with pytest.raises(InferenceServerException) as raised:
            call()
        assert raised.value.status() in ("501", "StatusCode.UNIMPLEMENTED"), raised.value


def test_shared_memory_in_a_request_is_refused(way: Way) -> None:
    tensor = way.module.InferInput("images", [3, 8, 8, 3], "UINT8")
    tensor.set_shared_memory("region", right.IMAGES.nbytes)
    output = way.wanted("probabilities")
    output.set_shared_memory("region", 64)

    assert "does not support shared memory" in refused(lambda: way.infer("colours", [tensor]))
    assert "does not support shared memory" in refused(lambda: way.infer("colours", images(way), outputs=[output]))
