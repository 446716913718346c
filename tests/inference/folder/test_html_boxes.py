"""lit_infer.folder.html_boxes: boxes over the thumbnails of a report."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from lit_infer import load
from lit_infer.folder import html_boxes, run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from tests.inference.tiny import save
from tests.support.box_model import make_box_bundle
from tests.support.server.browser import chromium


def test_boxes_are_in_pixels_of_the_image_and_names_are_text() -> None:
    evil = "<b>&\"'"
    row = {"width": 100, "height": 50, "boxes": [{"label": evil, "index": 1, "score": 0.5, "box": [10, 5, 60, 45]}]}

    svg = ElementTree.fromstring(html_boxes.drawn(row))  # noqa: S314 - made a line above

    assert svg.attrib["viewBox"] == "0 0 100 50"
    (rectangle,), (text,) = svg.iter("rect"), svg.iter("text")
    assert {name: float(value) for name, value in rectangle.attrib.items()} == {
        "x": 10,
        "y": 5,
        "width": 50,
        "height": 40,
    }
    assert text.text == f"{evil} 50%"
    assert svg[0].attrib["data-index"] == "1"


def test_colours_of_classes_differ() -> None:
    assert len({tuple(html_boxes.colour(index)) for index in range(100)}) == 100


@pytest.mark.slow
def test_a_report_draws_boxes_that_can_be_switched_off_by_class_and_by_score(tmp_path: Path) -> None:
    save(tmp_path / "in" / "red.png", np.full((80, 160, 3), (250, 0, 0), np.uint8))
    save(tmp_path / "in" / "blue.png", np.full((40, 40, 3), (0, 0, 180), np.uint8))
    with load(make_box_bundle(tmp_path / "bundle"), device="cpu") as model:
        job = Job(output=tmp_path / "out.jsonl", report=tmp_path / "out.html", coco=tmp_path / "out.json")
        run_job(model, parse([str(tmp_path / "in")]), job)

    found = json.loads((tmp_path / "out.json").read_text())
    assert [one["bbox"] for one in found["annotations"]] == [[5, 10, 30, 20], [20, 20, 120, 40]]
    with chromium() as browser:
        browser.open((tmp_path / "out.html").as_uri())
        boxes = browser.until(lambda: browser.all("svg g"))
        assert [box.is_displayed() for box in boxes] == [True, True]
        assert browser.texts("fieldset label") == ["boxes from", "red", "blue"]
        frame, shown = (browser.all(f"figure:nth-of-type(2) {name}")[0].rect for name in ("svg", "rect"))
        assert shown["width"] == pytest.approx(frame["width"] * 6 / 8, abs=3)
        browser.all("fieldset input[type=checkbox]")[0].click()
        assert [box.is_displayed() for box in boxes] == [True, False]
        browser.run(
            "const it = document.querySelector('[name=sure]'); it.value = 90; it.dispatchEvent(new Event('input'))"
        )
        assert [box.is_displayed() for box in boxes] == [False, False]
        assert browser.said() == []
