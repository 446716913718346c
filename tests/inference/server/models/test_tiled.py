"""lit_infer.server.models.tiled: what `/predict` answers for images that are cut is what the predictor answers."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lit_infer import Tiles, load
from lit_infer.images.limits import Limits
from lit_infer.server.app import create_app
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import parse
from tests.inference.tiny import SIDE, encoded, noise
from tests.support.box_model import make_box_bundle
from tests.support.mask_model import make_mask_bundle
from tests.support.server.client import Client
from tests.support.server.requests import assert_refused

TILES = Tiles(size=SIDE, overlap=2)
PIXELS = noise(45, 37)
IMAGE = encoded(Image.fromarray(PIXELS), "PNG")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("tiled")
    made = {"masks": make_mask_bundle, "boxes": make_box_bundle}
    return {name: make(root / name, tiles=TILES) for name, make in made.items()}


@pytest.fixture(scope="module")
def served(bundles: dict[str, Path]) -> Iterator[Client]:
    opening = Opening(device="cpu", limits=Limits(max_pixels=2000))
    repository = Repository(parse([f"{name}={path}" for name, path in bundles.items()]), opening)
    client = Client(create_app(repository))
    yield client
    client.close()
    repository.close()


def mask_of(found: dict[str, Any]) -> Any:
    with Image.open(io.BytesIO(base64.b64decode(found["mask"]))) as image:
        return np.asarray(image)


def test_a_mask_is_that_of_the_whole_image(served: Client) -> None:
    found = served.post("/predict?model=masks", content=IMAGE).json()

    assert (found["width"], found["height"], found["outside"]) == (45, 37, 0)
    np.testing.assert_array_equal(mask_of(found), PIXELS.argmax(-1))
    assert found["ms"]["infer"] > 0


def test_of_several_images_the_one_that_is_bad_is_named(served: Client) -> None:
    files = [("images", ("a", IMAGE)), ("images", ("b", IMAGE))]

    found = served.post("/predict?model=masks", files=files).json()["predictions"]
    bad = served.post("/predict?model=masks", files=[*files, ("images", ("c", b"text"))])

    assert [one["file"] for one in found] == ["a", "b"]
    for one in found:
        np.testing.assert_array_equal(mask_of(one), PIXELS.argmax(-1))
    assert_refused(bad)
    assert bad.json()["error"].startswith("item 2: ")


def test_boxes_are_those_of_the_predictor_at_the_threshold_that_is_asked_for(
    served: Client, bundles: dict[str, Path]
) -> None:
    with load(bundles["boxes"], device="cpu") as model:
        (expected,) = model.predict([IMAGE], threshold=0.45)

    found = served.post("/predict?model=boxes&threshold=0.45", content=IMAGE).json()

    assert len(found["boxes"]) == len(expected.answer.boxes) > 1
    assert [one["box"] for one in found["boxes"]] == [list(one.box) for one in expected.answer.boxes]


def test_what_cannot_be_answered_is_refused_and_the_next_request_is_not(served: Client) -> None:
    assert_refused(served.post("/predict?model=masks", content=b"text"))
    large = encoded(Image.fromarray(noise(60, 50)), "PNG")
    refused = served.post("/predict?model=masks", content=large)
    assert_refused(refused)
    assert "60 x 50 pixels; the limit is 2,000" in refused.json()["error"]
    assert served.post("/predict?model=masks", content=IMAGE).status_code == 200
