"""`POST /predict`: what an image is answered with, for a model of each task."""

import base64
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lit_infer.server.app import create_app
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import parse
from lit_infer.tasks import TASKS
from tests.inference.tiny import encoded
from tests.support.box_model import make_box_bundle
from tests.support.dense_model import make_anomaly_bundle, make_picture_bundle
from tests.support.instance_model import make_instance_bundle
from tests.support.mask_model import make_mask_bundle
from tests.support.point_model import make_point_bundle
from tests.support.server.client import Client
from tests.support.server.proven import make_proven
from tests.support.server.requests import assert_refused, png


def test_an_image_gives_its_label_and_what_it_took(client: Client) -> None:
    answer = client.post("/predict?top_k=2", content=png("green"))

    found = answer.json()
    assert (found["label"], found["index"], len(found["top"])) == ("green", 1, 2)
    assert found["top"][0]["score"] == found["score"] > found["top"][1]["score"]
    assert (found["model"], found["version"]) == ("colours", "1")
    assert set(found["ms"]) == {"queue", "prepare", "infer", "total"}


def test_it_counts_in_the_histogram_of_latencies(client: Client) -> None:
    def count() -> int:
        found = re.search(r"lit_serve_request_duration_seconds_count\{.*\} ([\d.]+)", client.get("/metrics").text)
        return 0 if found is None else int(float(found[1]))

    before = count()
    client.post("/predict", content=png())

    assert count() == before + 1


@pytest.mark.parametrize("query", ["top_k=0", "top_k=-1", "top_k=x", "top_k=", "top_k=99999999999", "top_k=²"])
def test_top_k_is_a_sensible_number(client: Client, query: str) -> None:
    assert_refused(client.post(f"/predict?{query}", content=png()))


@pytest.mark.parametrize("body", [b"", b"text", png()[:50]])
def test_what_is_no_image_is_said(client: Client, body: bytes) -> None:
    assert_refused(client.post("/predict", content=body))


def test_a_model_that_is_not_there_is_404(client: Client) -> None:
    assert_refused(client.post("/predict?model=none", content=png()), 404)
    assert_refused(client.post("/predict?version=9", content=png()), 404)


OF_IMAGES = {name: task for name, task in TASKS.items() if task.takes_images}


_MADE: dict[str, Callable[..., Path]] = {
    "mask": make_mask_bundle,
    "boxes": make_box_bundle,
    "instances": make_instance_bundle,
    "points": make_point_bundle,
    "image": make_picture_bundle,
    "anomaly": make_anomaly_bundle,
}


@pytest.fixture(scope="module")
def of_each_task(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A model of each task, under the task's name."""
    folder = tmp_path_factory.mktemp("tasks")
    bundles = [
        str(_MADE.get(task.kind, make_proven)(folder / name, name=name, task=name)) for name, task in OF_IMAGES.items()
    ]
    repository = Repository(parse(bundles), Opening(device="cpu"))
    client = Client(create_app(repository))
    yield client
    client.close()
    repository.close()


@pytest.mark.parametrize("name", list(OF_IMAGES))
def test_an_answer_has_the_fields_of_its_tasks_struct_and_says_its_kind(of_each_task: Client, name: str) -> None:
    found: dict[str, Any] = of_each_task.post(f"/predict?model={name}", content=png()).json()

    task = OF_IMAGES[name]
    placed = {"upright"} if task.maps_back else set()
    assert set(found) == {*task.answer.__struct_fields__, "kind", "model", "version", "ms"} | placed
    assert (found["kind"], found["model"]) == (task.kind, name)


def test_a_mask_has_the_size_of_its_image_whatever_the_model_s(of_each_task: Client) -> None:
    pixels = np.zeros((30, 50, 3), np.uint8)
    pixels[:, :25, 0] = pixels[:, 25:, 1] = 200
    sideways = Image.Exif()
    sideways[0x0112] = 6
    files = [encoded(Image.fromarray(pixels), "PNG"), encoded(Image.fromarray(pixels[:12]), "JPEG", exif=sideways)]

    found = of_each_task.post(
        "/predict?model=image-segmentation", files=[("images", (f"{i}", data)) for i, data in enumerate(files)]
    ).json()

    assert found["upright"] is False
    for one, height in zip(found["predictions"], (30, 12), strict=True):
        mask = np.asarray(Image.open(io.BytesIO(base64.b64decode(one["mask"]))))
        assert mask.shape == (one["height"], one["width"]) == (height, 50)
        assert np.array_equal(mask, (np.arange(50) >= 25)[None].repeat(height, 0))
        assert [area["label"] for area in one["areas"]] == ["red", "green"]


def test_a_picture_comes_as_json_or_as_its_file(of_each_task: Client) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    data, path = encoded(Image.fromarray(pixels), "PNG"), "/predict?model=image-to-image"

    found = of_each_task.post(path, content=data).json()
    file = of_each_task.post(path, content=data, headers={"accept": "image/png"})
    for_all = of_each_task.post(path, content=data, headers={"accept": "text/html,image/*,*/*"})

    assert (found["media"], found["width"], found["height"], found["low"], found["high"]) == ("image/png", 8, 8, 0, 1)
    assert file.headers["content-type"] == "image/png"
    for png_file in (base64.b64decode(found["image"]), file.content):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(png_file))), 255 - pixels)
    assert for_all.headers["content-type"] == "application/json"


@pytest.mark.parametrize("name", list(OF_IMAGES))
def test_a_threshold_is_taken_where_there_are_labels_and_refused_elsewhere(of_each_task: Client, name: str) -> None:
    answer = of_each_task.post(f"/predict?model={name}&threshold=0.99", content=png())

    if not OF_IMAGES[name].takes_threshold:
        assert_refused(answer)
        return
    found = answer.json()
    assert found.get("label") is None
    assert found.get("labels", []) == []


@pytest.mark.parametrize("name", list(OF_IMAGES))
def test_top_k_is_taken_where_there_are_scores_and_refused_elsewhere(of_each_task: Client, name: str) -> None:
    answer = of_each_task.post(f"/predict?model={name}&top_k=2", content=png())

    if OF_IMAGES[name].takes_top_k:
        assert len(answer.json()["top"]) == 2
    else:
        assert_refused(answer)


def test_an_anomaly_s_threshold_is_any_number_and_its_map_is_a_picture(of_each_task: Client) -> None:
    path, data = "/predict?model=anomaly-detection", png("red")

    found = of_each_task.post(path, content=data).json()
    strict = of_each_task.post(f"{path}&threshold=7.5", content=data).json()

    assert (found["is_anomalous"], strict["is_anomalous"], strict["threshold"]) == (True, False, 7.5)
    heat = Image.open(io.BytesIO(base64.b64decode(found["map"])))
    assert (heat.mode, heat.size, np.asarray(heat).min()) == ("P", (8, 8), 255)
    assert np.asarray(Image.open(io.BytesIO(base64.b64decode(strict["map"])))).max() < 20
    assert_refused(of_each_task.post(f"{path}&threshold=inf", content=data))


@pytest.mark.parametrize("text", ["-0.1", "1.1", "nan", "x", ""])
def test_a_threshold_is_a_number_from_0_to_1(of_each_task: Client, text: str) -> None:
    assert_refused(of_each_task.post(f"/predict?model=image-multilabel&threshold={text}", content=png()))


@pytest.mark.parametrize("name", list(OF_IMAGES))
def test_the_card_says_how_answers_are_drawn(of_each_task: Client, name: str) -> None:
    card = of_each_task.get(f"/v2/models/{name}/card").json()

    task = OF_IMAGES[name]
    assert (card["task"], card["kind"], card["does"], card["takes_images"]) == (name, task.kind, task.does, True)
    if not task.maps_back:
        assert card["prepared_by"] == ["resize its shorter side to 8, bilinear, antialiased, by Pillow", CROP]


CROP = "crop the centre, 8 x 8 (height x width)"
