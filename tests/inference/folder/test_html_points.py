"""lit_infer.folder.html_points: points over the thumbnails of a report."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from lit_infer import load
from lit_infer.folder import html_points, run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from tests.inference.tiny import save
from tests.support.point_model import FACTS, make_point_bundle
from tests.support.server.browser import chromium


def point(index: int, x: float, y: float, **changes: Any) -> dict[str, Any]:
    return {"label": f"p{index}", "index": index, "x": x, "y": y, "score": 0.5, "outside": False, **changes}


def test_points_are_in_pixels_of_the_image_joined_where_both_are_there_and_names_are_text() -> None:
    evil = "<b>&\"'"
    points = [point(0, 10, 5, label=evil), point(2, 60, 45, outside=True, score=None)]
    row = {"width": 100, "height": 50, "points": points}

    svg = ElementTree.fromstring(html_points.drawn(row, ((0, 2), (0, 1))))  # noqa: S314 - made a line above

    assert svg.attrib["viewBox"] == "0 0 100 50"
    (line,), (first, second) = svg.iter("line"), svg.iter("circle")
    assert [float(line.attrib[name]) for name in ("x1", "y1", "x2", "y2")] == [10, 5, 60, 45]
    assert (float(first.attrib["cx"]), float(second.attrib["cy"])) == (10, 45)
    assert [title.text for title in svg.iter("title")] == [f"{evil} 50%", "p2"]
    groups = list(svg.iter("g"))
    assert [one.attrib["data-score"] for one in groups] == ["0.5000", "1.0000"]
    assert [one.attrib.get("class") for one in groups] == [None, "outside"]


@pytest.mark.slow
def test_a_report_draws_points_that_can_be_switched_off_by_name_and_by_score(tmp_path: Path) -> None:
    save(tmp_path / "in" / "violet.png", np.full((80, 160, 3), (250, 60, 180), np.uint8))
    with load(make_point_bundle(tmp_path / "bundle"), device="cpu") as model:
        run_job(model, parse([str(tmp_path / "in")]), Job(output=tmp_path / "out.jsonl", report=tmp_path / "out.html"))

    with chromium() as browser:
        browser.open((tmp_path / "out.html").as_uri())
        points, lines = browser.until(lambda: browser.all("svg g")), browser.all("svg line")
        shown = lambda: [one.is_displayed() for one in (*points, *lines)]  # noqa: E731 - asked again and again
        assert shown() == [True] * 5
        assert browser.texts("fieldset label") == ["points from", "red", "green", "blue"]
        frame, first = browser.all("figure svg")[0].rect, browser.all("figure circle")[0].rect
        assert first["x"] + first["width"] / 2 - frame["x"] == pytest.approx(frame["width"] / 8, abs=2)
        browser.run(
            "const it = document.querySelector('[name=sure]'); it.value = 50; it.dispatchEvent(new Event('input'))"
        )
        assert shown() == [True, False, True, False, False]
        browser.all("fieldset input[type=checkbox]")[0].click()
        assert shown() == [False, False, True, False, False]
        assert browser.said() == []


def test_points_without_scores_are_shown_without_any_and_stay_whatever_score_is_asked_for(tmp_path: Path) -> None:
    save(tmp_path / "in" / "violet.png", np.full((80, 160, 3), (250, 60, 180), np.uint8))
    answers = {**FACTS, "numbers": ["x", "y", "visibility"]}
    with load(make_point_bundle(tmp_path / "bundle", answers=answers), device="cpu") as model:
        run_job(model, parse([str(tmp_path / "in")]), Job(report=tmp_path / "out.html"))

    page = (tmp_path / "out.html").read_text()
    assert "<meter" not in page
    assert 'class="score"' not in page
    assert page.count('data-score="1.0000"') == 3
