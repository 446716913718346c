import base64
import io
import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lit_infer.folder import html_page, run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from lit_infer.predictor import Predictor
from tests.inference.tiny import colour, noise, save
from tests.support.archives import tar


class Page(HTMLParser):
    """What a browser would make of the page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.raw = path.read_text()
        self.feed(self.raw)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def report(predictor: Predictor, folder: Path, *arguments: Path, **wanted: Any) -> Page:
    inputs = parse([str(argument) for argument in arguments])
    run_job(predictor, inputs, Job(report=folder / "out.html", **wanted))
    assert [path.name for path in folder.glob("out*")] == ["out.html"]
    return Page(folder / "out.html")


def test_each_image_has_a_thumbnail_a_label_and_a_confidence(
    predictor: Predictor, colours: Path, tmp_path: Path
) -> None:
    page = report(predictor, tmp_path, colours)

    assert [json.loads(card["data-groups"])[0] for card in page.all("figure")] == [
        name for name in ("blue", "green", "red") for _ in range(4)
    ]
    assert all(0 < float(card["data-score"] or 0) <= 1 for card in page.all("figure"))
    assert all((image["src"] or "").startswith("data:image/jpeg;base64,") for image in page.all("img"))
    colours_of = ["", "=blue", "=green", "=red"]
    assert [option["value"] for option in page.all("option")] == ["", "wrong", "right", *colours_of, *colours_of]
    assert str(colours / "red/100.png") in page.text
    assert "12 images" in page.text


def test_the_page_needs_nothing_but_itself(predictor: Predictor, colours: Path, tmp_path: Path) -> None:
    page = report(predictor, tmp_path, colours)

    addresses = [value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "href")]
    assert all((address or "").startswith(("data:", "#")) for address in addresses)
    assert "http:" not in page.raw
    assert "https:" not in page.raw
    assert "default-src 'none'" in html_page.policy()
    assert not [name for _, attributes in page.tags for name in attributes if name == "style" or name.startswith("on")]


def test_names_and_labels_are_text_wherever_they_stand(predictor: Predictor, tmp_path: Path) -> None:
    evil = '"><script>alert(1)</script>&amp;'
    save(tmp_path / "in" / f"{evil.replace('/', chr(0x2215))}.png", colour("red"))
    (tmp_path / "in" / "<b>broken.png").write_bytes(b"x")

    page = report(predictor, tmp_path, tmp_path / "in")

    assert len(page.all("script")) == 1
    assert page.all("b") == [{}]  # the label's
    assert '"><script>alert(1)' in page.text
    assert "&amp;" in page.text


def test_a_label_is_escaped_in_its_attributes(tmp_path: Path, bundle_folder: Path) -> None:
    from lit_infer import load
    from tests.inference.tiny import make_bundle

    labels = ('"><img src=x onerror=alert(1)>', "green", "blue")
    predictor = load(make_bundle(tmp_path / "bundle", labels=labels), device="cpu")
    save(tmp_path / "red.png", colour("red"))

    page = report(predictor, tmp_path, tmp_path / "red.png")

    assert json.loads(page.all("figure")[0]["data-groups"]) == [labels[0]]
    assert len(page.all("img")) == 1
    assert not any("onerror" in attributes for _, attributes in page.tags)


def test_the_page_holds_the_first_images_and_says_so(predictor: Predictor, colours: Path, tmp_path: Path) -> None:
    page = report(predictor, tmp_path, colours, thumbnails=5)

    assert len(page.all("figure")) == 5
    assert "the first 5 of 12 images, beginning with those that are wrong" in page.text
    assert "red (4)" in page.text  # the counts are those of the run


def test_errors_are_listed_with_their_codes(predictor: Predictor, colours: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()

    page = report(predictor, tmp_path, colours, tmp_path / "empty.png")

    assert "13 images, 1 failed" in page.text
    assert re.search(r"empty\.png\s*empty\s*the file is empty", page.text)


def test_thumbnails_are_small_whatever_the_image_is(predictor: Predictor, tmp_path: Path) -> None:
    for mode in ("L", "P", "RGBA", "CMYK", "I;16"):
        plain = Image.fromarray(noise(900, 700))
        converted = plain.convert("L").convert("I").convert("I;16") if mode == "I;16" else plain.convert(mode)
        converted.save(tmp_path / f"{mode[0]}{len(mode)}.{'tiff' if mode in ('CMYK', 'I;16') else 'png'}")

    page = report(predictor, tmp_path, tmp_path)

    assert len(page.all("img")) == 5
    for image in page.all("img"):
        data = base64.b64decode((image["src"] or "").partition(",")[2])
        assert max(Image.open(io.BytesIO(data)).size) == 200


def wrong_last(folder: Path) -> Path:
    """Four images of blue things, of which the last two are no such."""
    for name, label in (("1", "blue"), ("2", "blue"), ("3", "red"), ("4", "green")):
        save(folder / "blue" / f"{name}.png", colour(label))
    return folder


def names(page: Page) -> list[str]:
    return re.findall(r"blue/(\d)\.png", page.text)


def test_what_is_wrong_comes_first_though_it_came_last(predictor: Predictor, tmp_path: Path) -> None:
    page = report(predictor, tmp_path, wrong_last(tmp_path / "in"), thumbnails=3)

    assert sorted(names(page)[:2]) == ["3", "4"]
    assert names(page)[2:] == ["1"]
    assert [card["data-right"] for card in page.all("figure")] == ["wrong", "wrong", "right"]
    scores = [float(card["data-score"] or 0) for card in page.all("figure")]
    assert scores[0] >= scores[1]
    assert page.text.count("is blue") == 2
    assert "accuracy 0.5000 (2 of 4; the folders' names are the labels)" in page.text


def test_where_nobody_knows_the_first_images_are_shown_in_their_order(predictor: Predictor, tmp_path: Path) -> None:
    (wrong_last(tmp_path / "in") / "photos").mkdir()
    save(tmp_path / "in" / "photos" / "5.png", colour("red"))

    page = report(predictor, tmp_path, tmp_path / "in", thumbnails=3)

    assert names(page) == ["1", "2", "3"]
    assert not any("data-right" in card for card in page.all("figure"))
    assert "the first 3 of 5 images; the output" in page.text


def test_a_run_that_was_interrupted_knows_what_is_wrong(predictor: Predictor, tmp_path: Path) -> None:
    source = tar_of(tmp_path / "s.tar", {"a": ("blue", "2"), "b": ("red", "1"), "c": ("red", "0"), "d": ("green", "2")})
    counted = itertools.count(1)
    wanted = {"output": tmp_path / "o.jsonl", "report": tmp_path / "p.html", "batch_size": 1, "thumbnails": 2}

    def each(_: object) -> None:
        if next(counted) >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(predictor, parse([str(source)]), Job(**wanted), each=each)
    run_job(predictor, parse([str(source)]), Job(**wanted, resume=True))

    page = Page(tmp_path / "p.html")
    assert sorted(re.findall(r"s\.tar/(\w)\.png", page.text)) == ["b", "d"]
    assert "2 of 4 wrong" in page.text
    assert [card["data-truth"] for card in page.all("figure")] in (["=green", "=blue"], ["=blue", "=green"])


def tar_of(path: Path, images: dict[str, tuple[str, str]]) -> Path:
    """By name a colour, and what is said of it."""
    entries = []
    for name, (shown, said) in images.items():
        file = io.BytesIO()
        Image.fromarray(colour(shown)).save(file, "PNG")
        entries += [(f"{name}.cls", said.encode()), (f"{name}.png", file.getvalue())]
    path.write_bytes(tar(*entries))
    return path
