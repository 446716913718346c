"""lit_infer.folder.html_masks: masks over the thumbnails of a report."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lit_infer import load
from lit_infer.folder import html_masks, run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from tests.inference.tiny import save
from tests.support.mask_model import make_mask_bundle
from tests.support.server.browser import chromium


def indices(url: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))


def test_a_small_mask_has_the_nearest_class_of_each_pixel_of_the_thumbnail() -> None:
    mask = np.repeat(np.repeat(np.array([[0, 3], [7, 255]], np.uint8), 50, axis=0), 30, axis=1)

    assert indices(html_masks.small(mask, (2, 2))).tolist() == [[0, 3], [7, 255]]
    assert indices(html_masks.small(mask, (60, 100))).tolist() == mask.tolist()


def test_of_many_classes_colours_repeat_and_no_class_stays_apart() -> None:
    mask = np.array([[0, 254, 255, 65535]], np.uint16)

    assert indices(html_masks.small(mask, (4, 1))).tolist() == [[0, 254, 0, 255]]


def test_the_legend_is_in_the_order_of_the_indices_and_leaves_the_background_off() -> None:
    found = json.loads(html_masks.legend({2: "dög", 0: "Background"}))

    assert [(one["index"], one["label"], one["shown"]) for one in found] == [(0, "Background", False), (2, "dög", True)]
    assert found[1]["colour"] == [0, 128, 0]


@pytest.mark.slow
def test_a_report_draws_the_masks_in_the_colours_of_the_classes_that_are_switched_on(tmp_path: Path) -> None:
    pixels = np.zeros((80, 160, 3), np.uint8)
    pixels[:, :80, 0] = pixels[:, 80:, 2] = 200
    save(tmp_path / "a.png", pixels)
    with load(make_mask_bundle(tmp_path / "bundle"), device="cpu") as model:
        run_job(model, parse([str(tmp_path / "a.png")]), Job(report=tmp_path / "out.html"))
    at = (
        "const c = document.querySelector('canvas').getContext('2d'); "
        "return [...c.getImageData(arguments[0], 20, 1, 1).data]"
    )

    with chromium() as browser:
        browser.open((tmp_path / "out.html").as_uri())
        browser.until(lambda: browser.run(at, 10)[3] == 255)
        assert (browser.run(at, 10), browser.run(at, 150)) == ([0, 0, 0, 255], [0, 128, 0, 255])
        assert browser.texts("fieldset label") == ["masks", "red", "blue"]
        browser.all("fieldset input[type=checkbox]")[1].click()
        assert browser.run(at, 150)[3] == 0
        assert browser.is_as_wide_as(360)
        assert browser.said() == []
    assert not re.search(r' style="', (tmp_path / "out.html").read_text())
