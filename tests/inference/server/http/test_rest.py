"""The protocol as its clients speak it."""

import base64
import gzip
import zlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from lit_infer.predictor import load
from tests.inference.tiny import LABELS, colour
from tests.support.server.client import Client
from tests.support.server.proven import expected
from tests.support.server.requests import INFER, binary, element, image_input, png, raw_input, tensor

BLUE = expected(colour("blue")[None])


def values(answer: Any) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    (output,) = answer.json()["outputs"]
    assert (output["name"], output["datatype"]) == ("probabilities", "FP32")
    return np.array(output["data"], dtype=np.float32).reshape(output["shape"])


def split(answer: Any) -> tuple[dict[str, Any], bytes]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/octet-stream"
    length = int(answer.headers["Inference-Header-Content-Length"])
    return msgspec.json.decode(answer.content[:length]), answer.content[length:]


@pytest.mark.parametrize("path", ["/v2/models/colours/infer", "/v2/models/colours/versions/1/infer"])
def test_a_tensor_in_json_is_answered_in_json(client: Client, path: str) -> None:
    answer = client.post(path, json={"inputs": [tensor()], "id": "seven"})

    assert np.allclose(values(answer), BLUE)
    assert {key: answer.json()[key] for key in ("model_name", "model_version", "id")} == {
        "model_name": "colours",
        "model_version": "1",
        "id": "seven",
    }


def test_nested_data_is_as_good_as_flat(client: Client) -> None:
    answer = client.post(INFER, json={"inputs": [tensor(data=colour("blue")[None].tolist())]})

    assert np.allclose(values(answer), BLUE)


def test_a_binary_tensor_is_answered_as_binary_where_that_is_asked(client: Client) -> None:
    images = np.stack([colour(label) for label in LABELS] * 7)
    header = {"inputs": [raw_input(images)], "parameters": {"binary_data_output": True}}

    described, blob = split(client.post(INFER, **binary(header, images.tobytes())))

    (output,) = described["outputs"]
    assert output == {
        "name": "probabilities",
        "datatype": "FP32",
        "shape": [21, 3],
        "parameters": {"binary_data_size": 21 * 12},
    }
    assert np.allclose(np.frombuffer(blob, np.float32).reshape(21, 3), expected(images))


def test_an_output_says_for_itself_how_it_is_sent(client: Client) -> None:
    images = colour("red")[None]
    wanted = [{"name": "probabilities", "parameters": {"binary_data": False}}]
    header = {"inputs": [raw_input(images)], "outputs": wanted, "parameters": {"binary_data_output": True}}

    assert np.allclose(values(client.post(INFER, **binary(header, images.tobytes()))), expected(images))


def test_images_go_through_the_models_preprocessing(client: Client, proven: Path) -> None:
    files = [png("blue"), png("red", 100)]
    with load(proven, device="cpu") as model:
        truth = [[choice.score for choice in sorted(p.top, key=lambda c: c.index)] for p in model.predict(files)]

    for shape in ([2], [2, 1]):
        answer = client.post(INFER, **image_input(b"".join(element(file) for file in files), shape))

        assert values(answer).tolist() == np.array(truth, dtype=np.float32).tolist()


def test_images_in_json_are_base64(client: Client) -> None:
    text = base64.b64encode(png()).decode()

    answer = client.post(INFER, json={"inputs": [tensor(datatype="BYTES", shape=[1], data=[text])]})

    assert np.allclose(values(answer), BLUE)


def test_classification_gives_value_index_label(client: Client) -> None:
    wanted = [{"name": "probabilities", "parameters": {"classification": 2}}]

    answer = client.post(INFER, json={"inputs": [tensor()], "outputs": wanted})

    (output,) = answer.json()["outputs"]
    assert (output["datatype"], output["shape"]) == ("BYTES", [1, 2])
    value, index, label = output["data"][0].split(":")
    assert (np.float32(value), index, label) == (np.float32(BLUE[0, 2]), "2", "blue")


def test_classification_in_binary_is_length_and_text(client: Client) -> None:
    wanted = [{"name": "probabilities", "parameters": {"classification": 1, "binary_data": True}}]

    described, blob = split(client.post(INFER, json={"inputs": [tensor()], "outputs": wanted}))

    assert described["outputs"][0]["parameters"]["binary_data_size"] == len(blob)
    assert int.from_bytes(blob[:4], "little") == len(blob) - 4
    assert blob.endswith(b":2:blue")


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compressed_bodies_are_read(client: Client, encoding: str, pack: Any) -> None:
    body = pack(msgspec.json.encode({"inputs": [tensor()]}))

    assert np.allclose(values(client.post(INFER, content=body, headers={"Content-Encoding": encoding})), BLUE)


def test_a_timeout_of_the_clients_own_is_taken(client: Client) -> None:
    parameters = {"timeout": 5_000_000, "priority": 1, "of the client's own": [1]}

    assert np.allclose(values(client.post(INFER, json={"inputs": [tensor()], "parameters": parameters})), BLUE)


def test_requests_that_come_together_get_each_its_own_answer(client: Client) -> None:
    images = [colour(LABELS[i % 3], 60 + i) for i in range(60)]
    requests = [binary({"inputs": [raw_input(image[None])]}, image.tobytes()) for image in images]

    answers = client.posts(INFER, *requests)

    assert np.allclose(np.concatenate([values(answer) for answer in answers]), expected(np.stack(images)))


def test_health_and_descriptions(client: Client) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models").json() == {"models": ["colours"]}
    assert client.get("/v2/models/colours/ready").json() == {"name": "colours", "ready": True}
    assert "binary_tensor_data" in client.get("/v2").json()["extensions"]
    described = client.get("/v2/models/colours/versions/1").json()
    assert described["versions"] == ["1"]
    assert described["inputs"] == [{"name": "images", "datatype": "UINT8", "shape": [-1, 8, 8, 3]}]
    assert described["outputs"] == [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]}]
    config = client.get("/v2/models/colours/config").json()
    assert config["max_batch_size"] == 8
    assert config["input"] == [{"name": "images", "data_type": "TYPE_UINT8", "dims": [8, 8, 3]}]
    assert client.post("/v2/repository/index", json={"ready": True}).json() == [
        {"name": "colours", "version": "1", "state": "READY", "reason": ""}
    ]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("get", "/v2/models/none", 404),
        ("get", "/v2/models/colours/versions/2", 404),
        ("get", "/v2/models/none/ready", 404),
        ("post", "/v2/models/none/infer", 404),
        ("get", "/v2/models/colours/infer", 405),
        ("post", "/v2/health/live", 405),
        ("get", "/v2/models/colours/", 404),
        ("get", "/v3", 404),
        ("get", "/v2/logging", 501),
        ("get", "/v2/systemsharedmemory/status", 501),
        ("post", "/v2/models/colours/trace/setting", 501),
        ("post", "/v2/repository/models/colours/load", 400),
        ("post", "/v2/repository/index?x", 200),
    ],
)
def test_statuses(client: Client, method: str, path: str, status: int) -> None:
    answer = getattr(client, method)(path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert ("error" in answer.json()) == (status != 200)
    assert ("allow" in answer.headers) == (status == 405)


def test_statistics_count_what_was_done(client: Client) -> None:
    def stats() -> dict[str, Any]:
        (found,) = client.get("/v2/models/colours/stats").json()["model_stats"]
        return found

    before = stats()
    images = np.stack([colour("red")] * 3)
    client.post(INFER, **binary({"inputs": [raw_input(images)]}, images.tobytes()))
    client.post(INFER, content=b"{")
    after = stats()

    assert after["inference_count"] - before["inference_count"] == 3
    assert after["execution_count"] - before["execution_count"] == 1
    for name, more in (("success", 1), ("fail", 1), ("compute_infer", 1)):
        assert after["inference_stats"][name]["count"] - before["inference_stats"][name]["count"] == more
        assert after["inference_stats"][name]["ns"] > before["inference_stats"][name]["ns"]
    assert client.get("/v2/models/stats").json()["model_stats"] == [stats()]


def test_every_answer_has_a_request_id_and_keeps_the_clients(client: Client) -> None:
    own = client.get("/v2", headers={"X-Request-ID": "abc-1"})
    first, second, bad = client.get("/v2"), client.get("/v3"), client.get("/v2", headers={"X-Request-ID": "a b"})

    assert own.headers["x-request-id"] == "abc-1"
    assert len({one.headers["x-request-id"] for one in (first, second, bad)}) == 3


def test_a_client_that_sends_what_is_described_can_send_pictures(client: Client) -> None:
    """As NVIDIA's perf_analyzer and image clients do: metadata, configuration, then requests of that type and shape."""
    base = "/v2/models/colours/images"
    (described,) = client.get(base).json()["inputs"]
    shape = [2, *described["shape"][1:]]
    request = image_input(element(png("red")) + element(png("blue")), shape)

    for path in (f"{base}/infer", f"{base}/versions/1/infer"):
        answer = client.post(path, **request).json()
        assert np.argmax(np.reshape(answer["outputs"][0]["data"], (2, 3)), 1).tolist() == [0, 2]
    for suffix in ("/ready", "/config", "/stats", "/versions/1"):
        assert client.get(base + suffix).status_code == 200
    assert client.get("/v2/models/none/images").status_code == 404
