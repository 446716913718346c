"""lit_infer.folder.html_confusion: what was taken for what, on the page."""

import re
from collections import Counter
from html import unescape
from pathlib import Path

import pytest

from lit_infer.folder import html_confusion, run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.confusion import Confused
from lit_infer.folder.job import Job
from lit_infer.predictor import Predictor
from tests.inference.tiny import colour, save
from tests.support.server.browser import chromium


def found(pairs: dict[tuple[str, str], int], *names: str) -> Confused:
    return Confused("folder", Counter(pairs), names)


def lines(html: str) -> list[list[str]]:
    """The cells of all rows of all tables, as text."""
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    return [[unescape(re.sub(r"<.*?>", "", cell)).strip() for cell in re.split(r"<t[dh].*?>", row)[1:]] for row in rows]


def test_the_matrix_has_the_classes_that_occur_in_the_model_s_order() -> None:
    pairs = {("red", "red"): 3, ("red", "blue"): 1, ("blue", "blue"): 2, ("blue", ""): 2}

    html = html_confusion.section(found(pairs, "red", "green", "blue"))

    assert lines(html)[:3] == [
        ["", "red", "blue", "no label", "right"],
        ["red", "3", "1", "", "75.0%"],
        ["blue", "", "2", "2", "50.0%"],
    ]
    assert "3 of 8 wrong" in html
    assert lines(html)[3:] == [
        ["is", "taken for", "images", "of its own"],
        ["blue", "no label", "2", "50.0%"],
        ["red", "blue", "1", "25.0%"],
    ]


def test_of_many_classes_only_the_mistakes_are_listed() -> None:
    names = [f"class {number}" for number in range(1000)]
    pairs = {(name, name): 9 for name in names} | {(names[i], names[i + 1]): i + 1 for i in range(999)}

    html = html_confusion.section(found(pairs, *names))

    assert 'class="matrix"' not in html
    assert lines(html)[1] == ["class 998", "class 999", "999", "99.1%"]
    assert "and 979 more pairs" in html
    assert ["class 998", "9 of 1,008", "0.9%"] in lines(html)
    assert len(html) < 20_000
    assert '<details class="confusion">' in html


def test_where_all_are_right_there_is_a_matrix_and_no_mistake() -> None:
    html = html_confusion.section(found({("red", "red"): 3}, "red", "green"))

    assert lines(html) == [["", "red", "right"], ["red", "3", "100.0%"]]
    assert "0 of 3 wrong" in html


def test_names_are_text_wherever_they_stand() -> None:
    evil = '"><script>alert(1)</script>'
    confused = found({(evil, "a"): 1, ("a", evil): 1}, evil, "a")

    for html in (html_confusion.section(confused), html_confusion.controls(confused)):
        assert "<script" not in html
        assert evil in unescape(html)


@pytest.mark.slow
def test_a_cell_shows_its_images(predictor: Predictor, tmp_path: Path) -> None:
    for name in ("red/1", "red/2", "green/1", "blue/1"):
        save(tmp_path / "in" / f"{name}.png", colour(name.partition("/")[0]))
    save(tmp_path / "in" / "blue" / "2.png", colour("red"))
    run_job(predictor, parse([str(tmp_path / "in")]), Job(report=tmp_path / "out.html"))

    with chromium() as browser:
        browser.open((tmp_path / "out.html").as_uri())
        assert browser.texts("summary")[0] == "1 of 5 wrong"
        first = browser.all("figure")[0]
        assert "is blue" in first.text
        assert "blue/2.png" in first.text
        browser.one('.matrix [data-truth="=red"]').click()
        browser.until(lambda: browser.texts("output") == ["2 of 5 shown"])
        browser.run("document.querySelector('[name=right]').value = 'wrong'")
        browser.one("form [type=reset]").click()
        browser.until(lambda: browser.texts("output") == ["5 of 5 shown"])
        browser.one(".matrix .wrong button").click()
        browser.until(lambda: browser.texts("output") == ["1 of 5 shown"])
        assert browser.is_as_wide_as(360)
        assert browser.said() == []
