import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from PIL import Image

from lit_infer.folder import html_page, run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from lit_infer.predictor import Predictor
from tests.inference.tiny import colour, noise, save


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
    assert [option["value"] for option in page.all("option")] == ["", "=blue", "=green", "=red"]
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
    assert "the first 5 of 12 images" in page.text
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
