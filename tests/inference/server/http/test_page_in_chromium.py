"""The page as a person uses it: in a real browser, with a real server behind it."""

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.support.box_model import make_box_bundle
from tests.support.dense_model import make_anomaly_bundle, make_picture_bundle
from tests.support.instance_model import make_instance_bundle
from tests.support.mask_model import make_mask_bundle
from tests.support.point_model import make_point_bundle
from tests.support.server.browser import Browser, chromium
from tests.support.server.process import command, serving
from tests.support.server.proven import make_proven
from tests.support.server.requests import png, tensor

pytestmark = pytest.mark.slow

GREEN = "<img src=x onerror=alert(1)>green"


@dataclass(frozen=True)
class Site:
    """A browser and a server with a model of each task."""

    browser: Browser
    url: str
    images: Path


@pytest.fixture(scope="module")
def site(tagger: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("page")
    bundles = [
        make_proven(folder / "colours", labels=("red", GREEN, "blue")),
        make_proven(folder / "vectors", name="vectors", task="image-embedding", labels=None),
        make_proven(folder / "numbers", name="numbers", task="tensor", labels=None, preprocess=()),
        make_proven(folder / "several", name="several", task="image-multilabel", answers={"thresholds": 0.3}),
        make_mask_bundle(folder / "masks"),
        make_box_bundle(folder / "boxes"),
        make_point_bundle(folder / "points"),
        make_picture_bundle(folder / "negatives"),
        make_anomaly_bundle(folder / "reddish"),
        make_instance_bundle(folder / "instances"),
        tagger,
        make_proven(folder / "values", name="values", task="image-regression", answers={"units": ["cm", "", "kg"]}),
    ]
    for label in ("red", "green", "blue"):
        (folder / f"{label}.png").write_bytes(png(label))
    (folder / "broken.png").write_bytes(png("red")[:50])
    with chromium() as browser, command(*map(str, bundles), "--quiet", cwd=folder) as server:
        yield Site(browser, server.url, folder)


@pytest.fixture
def page(site: Site) -> Iterator[Browser]:
    """The page, freshly open. At the end the console has said nothing but that a broken image was refused."""
    browser = site.browser
    browser.open(site.url)
    browser.until(lambda: browser.texts("#card h3"))
    yield browser
    assert [line for line in browser.said() if "/predict" not in line or "status of 400" not in line] == []


def answers(page: Browser, count: int) -> list[str]:
    """The first line of so many answers, once all of them are there."""
    page.until(lambda: len(page.all("#results .times, #results .bad")) == count)
    return page.texts("#results .bars li:first-child bdi, #results .bad")


def choose(page: Browser, *images: Path) -> None:
    page.one("#files").send_keys("\n".join(map(str, images)))


def test_a_picked_image_shows_its_label_its_bars_and_its_times(page: Browser, site: Site) -> None:
    choose(page, site.images / "blue.png")

    assert answers(page, 1) == ["blue"]
    expected = httpx.post(f"{site.url}/predict?model=colours", content=png("blue")).json()["top"]
    assert page.texts(".bars bdi") == [choice["label"] for choice in expected]
    assert page.texts(".bars span") == [f"{choice['score']:.1%}" for choice in expected]
    shown = [float(meter.get_attribute("value")) for meter in page.all(".bars meter")]
    assert shown == pytest.approx([choice["score"] for choice in expected])
    assert [text.split()[0] for text in page.texts(".times li")] == ["queue", "prepare", "graph", "other"]
    assert page.until(lambda: page.run("return document.querySelector('#results img').naturalWidth")) == 8
    assert page.one("#status").text == f"1 of 1 image answered. blue.png: blue, {expected[0]['score']:.1%}"


def pick(page: Browser, model: str) -> None:
    page.run(
        "const it = document.querySelector('[name=model]'); it.value = arguments[0]; "
        "it.dispatchEvent(new Event('change', { bubbles: true }))",
        model,
    )
    page.until(lambda: page.texts("#card h3")[0].startswith(model))


def test_of_several_labels_those_above_their_threshold_stand_out(page: Browser, site: Site) -> None:
    pick(page, "several")
    choose(page, site.images / "red.png")
    page.until(lambda: page.all("#results .times"))

    found = httpx.post(f"{site.url}/predict?model=several", content=png("red")).json()
    assert page.texts(".bars .label") == [choice["label"] for choice in found["top"]]
    assert page.texts(".bars b") == [choice["label"] for choice in found["labels"]] == ["red"]


def test_a_text_is_written_and_answered_with_its_spans_in_it(page: Browser) -> None:
    pick(page, "Tagger")
    page.until(lambda: page.one("#write").is_displayed())
    assert not page.one("#drop").is_displayed()
    page.one("#text").send_keys("🙂 a wonderful film, warm and clever")
    page.one("#write button").click()

    page.until(lambda: page.texts("#results .times"))

    (text,) = page.texts("#results .highlighted")
    marks = page.texts("#results mark")
    assert text.startswith("🙂")
    assert text.index("wonderful") < text.index("clever")
    assert marks
    assert {mark.split()[-1] for mark in marks} <= {"PART", "WHO"}
    assert page.texts("#status")[0].startswith("1 of 1 text answered.")


def test_values_have_their_names_and_units(page: Browser, site: Site) -> None:
    pick(page, "values")
    choose(page, site.images / "red.png")
    page.until(lambda: page.all("#results .times"))

    assert page.texts("#results dt") == ["red", "green", "blue"]
    assert [text.partition(" ")[2] for text in page.texts("#results dd")] == ["cm", "", "kg"]
    assert "top_k" not in page.one("#curl").text


def test_a_mask_is_drawn_over_its_picture_class_by_class(page: Browser, site: Site) -> None:
    pixels = np.zeros((60, 90, 3), np.uint8)
    pixels[:, :45, 0] = pixels[:, 45:, 2] = 200
    Image.fromarray(pixels).save(site.images / "halves.png")
    at = (
        "return [...document.querySelector('.masked canvas').getContext('2d').getImageData(arguments[0], 5, 1, 1).data]"
    )

    pick(page, "masks")
    choose(page, site.images / "halves.png")
    page.until(lambda: page.all("#results .times"))

    page.until(lambda: page.run(at, 80)[3] == 255)
    assert (page.run(at, 10), page.run(at, 80)) == ([0, 0, 0, 255], [0, 128, 0, 255])
    assert page.texts(".areas bdi") == ["red", "blue"]
    assert page.texts(".areas span") == ["50.0%", "50.0%"]
    page.all(".areas input")[1].click()
    assert page.run(at, 80)[3] == 0
    boxes = [page.one(f".masked {tag}").rect for tag in ("img", "canvas")]
    assert boxes[0] == pytest.approx(boxes[1], abs=1)
    assert page.is_as_wide_as(320)


def test_a_made_picture_and_heat_lie_over_the_picture_as_far_as_a_slider_says(page: Browser, site: Site) -> None:
    Image.fromarray(np.full((60, 90, 3), (250, 0, 0), np.uint8)).save(site.images / "wide.png")
    moved = (
        "const it = document.querySelector('#results [type=range]'); it.value = 20; "
        "it.dispatchEvent(new Event('input')); "
        "const style = getComputedStyle(document.querySelector('.over')); return [style.clipPath, style.opacity]"
    )

    pick(page, "negatives")
    choose(page, site.images / "wide.png")
    page.until(lambda: page.all("#results .times"))
    boxes = [page.one(f".masked img{which}").rect for which in (":not(.over)", ".over")]
    assert boxes[0] == pytest.approx(boxes[1], abs=1)
    assert page.run(moved) == ["inset(0px 0px 0px 20%)", "1"]
    assert page.is_as_wide_as(320)

    pick(page, "reddish")
    page.one("#again").click()
    page.until(lambda: "anomalous" in page.one("#status").text)
    assert page.texts("#results .body > p")[0] == "anomalous: score 0.98, threshold 0.4"
    assert page.run(moved) == ["none", "0.2"]


def test_boxes_are_drawn_over_their_picture_where_they_are(page: Browser, site: Site) -> None:
    Image.fromarray(np.full((80, 160, 3), (250, 0, 0), np.uint8)).save(site.images / "large.png")

    pick(page, "boxes")
    choose(page, site.images / "large.png")
    page.until(lambda: page.all("#results .times"))

    frame, shown = (page.one(f".masked {name}").rect for name in ("svg", "rect"))
    assert shown["x"] - frame["x"] == pytest.approx(frame["width"] / 8, abs=2)
    assert shown["y"] - frame["y"] == pytest.approx(frame["height"] / 4, abs=2)
    assert shown["width"] == pytest.approx(frame["width"] * 6 / 8, abs=3)
    assert frame["width"] == pytest.approx(page.one(".masked img").rect["width"], abs=1)
    assert page.texts(".areas bdi") == ["red"]
    assert page.is_as_wide_as(320)


def test_points_are_drawn_over_their_picture_joined_and_can_be_hidden(page: Browser, site: Site) -> None:
    Image.fromarray(np.full((80, 160, 3), (250, 60, 180), np.uint8)).save(site.images / "violet.png")

    pick(page, "points")
    choose(page, site.images / "violet.png")
    page.until(lambda: page.all("#results .times"))

    frame, first = (page.all(f".masked {name}")[0].rect for name in ("svg", "circle"))
    assert first["x"] + first["width"] / 2 - frame["x"] == pytest.approx(frame["width"] / 8, abs=2)
    assert page.texts(".areas bdi") == ["red", "green", "blue"]
    assert page.texts(".areas span")[0] == "20.0, 20.0 · 98.0%"
    page.run(
        "const it = document.querySelector('.masked ~ p input'); it.value = 50; it.dispatchEvent(new Event('input'))"
    )
    shown = [one.is_displayed() for name in ("circle", "line") for one in page.all(f".masked {name}")]
    assert shown == [True, False, True, False, False]
    assert page.is_as_wide_as(320)


def test_masks_of_instances_are_drawn_under_their_boxes_and_hidden_with_them(page: Browser, site: Site) -> None:
    Image.fromarray(np.full((80, 160, 3), (250, 0, 0), np.uint8)).save(site.images / "large.png")
    opaque = (
        "return arguments[0].map((x) => document.querySelector('.masked canvas').getContext('2d')"
        ".getImageData(x, 40, 1, 1).data[3])"
    )

    pick(page, "instances")
    choose(page, site.images / "large.png")
    page.until(lambda: page.all("#results .times"))

    assert page.run(opaque, [10, 40, 100]) == [0, 255, 0]  # the left half of the box, which is from 20 to 140
    assert page.texts(".areas bdi") == ["green"]
    page.run(
        "const it = document.querySelector('.masked ~ p input'); it.value = 100; it.dispatchEvent(new Event('input'))"
    )
    assert page.run(opaque, [40]) == [0]


def test_an_image_that_is_dropped_anywhere_shows_its_label(page: Browser, site: Site) -> None:
    page.drop(site.images / "red.png")

    assert answers(page, 1) == ["red"]
    assert page.texts("#results .file") == ["red.png"]


def test_a_pasted_image_shows_its_label(page: Browser) -> None:
    page.run(
        """const clipboardData = new DataTransfer();
        clipboardData.items.add(new File([new Uint8Array(arguments[0])], "image.png", { type: "image/png" }));
        document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));""",
        list(png("blue")),
    )

    assert answers(page, 1) == ["blue"]


def test_of_several_images_a_broken_one_fails_alone_and_all_keep_their_order(page: Browser, site: Site) -> None:
    names = ["red.png", "broken.png", "blue.png", "red.png", "blue.png"]
    choose(page, *(site.images / name for name in names))

    found = answers(page, 5)
    refused = httpx.post(f"{site.url}/predict?model=colours", content=png("red")[:50]).json()["error"]
    assert found == ["red", refused, "blue", "red", "blue"]
    assert page.texts("#results .file") == names
    assert page.one("#status").text.startswith("4 of 5 images answered, 1 failed.")

    page.one("#clear").click()
    assert page.all("#results li") == []
    assert page.run("return document.activeElement.id") == "files"


def test_what_a_label_holds_is_text(page: Browser, site: Site) -> None:
    choose(page, site.images / "green.png")

    assert answers(page, 1) == [GREEN]
    assert page.all("#results .body img") == []


def test_everything_is_reached_with_the_tab_key_in_the_order_of_the_page(page: Browser, site: Site) -> None:
    choose(page, site.images / "red.png")
    answers(page, 1)
    page.run("document.activeElement.blur(); getSelection().setPosition(document.body, 0)")
    here = "const it = document.activeElement; return it.id || it.name || it.textContent"
    reached = []
    for _ in range(10):
        page.press_tab()
        reached.append(page.run(here))

    assert reached == [
        *("OpenAPI", "Metrics", "model", "version", "top_k", "files", "copy", "again", "clear"),
        "How it was made and checked",
    ]
    assert "none" not in page.run("return getComputedStyle(document.activeElement).outlineStyle")


@pytest.mark.parametrize("width", [320, 360, 768])
def test_nothing_is_wider_than_the_window(page: Browser, site: Site, width: int) -> None:
    choose(page, site.images / "green.png", site.images / "broken.png")
    answers(page, 2)
    page.one("summary").click()

    assert page.is_as_wide_as(width)


def test_the_number_of_classes_and_the_model_are_followed(page: Browser, site: Site) -> None:
    page.run("document.querySelector('[name=top_k]').value = ''")
    page.one("[name=top_k]").send_keys("2")
    assert page.one("#curl").text == f'curl --data-binary @image.jpg "{site.url}/predict?model=colours&top_k=2"'
    choose(page, site.images / "blue.png")
    answers(page, 1)
    assert len(page.all(".bars li")) == 2

    page.one("[name=model] [value=vectors]").click()
    page.until(lambda: page.texts("#card h3") == ["vectors version 1"])
    assert page.one("#curl").text == f'curl --data-binary @image.jpg "{site.url}/predict?model=vectors"'
    page.one("#again").click()
    page.until(lambda: page.texts(".numbers"))
    vector = httpx.post(f"{site.url}/predict?model=vectors", content=png("blue")).json()["embedding"]
    assert page.texts(".numbers") == [f"[{', '.join(f'{value:.3g}' for value in vector)}]"]
    assert "an embedding of 3 numbers, of norm" in page.one("#status").text

    page.one("[name=model] [value=numbers]").click()
    page.until(lambda: page.one("#note").is_displayed())
    assert page.one("#note").text == "This model takes tensors, not images: send them to /v2/models/numbers/infer"
    assert not page.one("#drop").is_displayed()


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_curl_line_does_the_same(page: Browser, tmp_path: Path) -> None:
    (tmp_path / "image.jpg").write_bytes(png("blue"))
    line = shlex.split(page.one("#curl").text)

    done = subprocess.run([*line, "--silent"], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert '"label":"blue"' in done.stdout


def test_the_plots_show_what_the_server_did(page: Browser, site: Site) -> None:
    with httpx.Client(base_url=site.url) as client:
        for _ in range(10):
            client.post("/v2/models/colours/infer", json={"inputs": [tensor()]}).raise_for_status()

    page.until(lambda: "half within" in page.one("#plots").text)
    rate, latency = (svg.get_attribute("aria-label") for svg in page.all("#plots svg"))
    assert rate.startswith("Requests/s: now ")
    assert "at most 0;" not in rate
    assert rate.endswith("; none failed.")
    assert "99% within" in latency
    assert all(path.get_attribute("d").startswith("M") for path in page.all("#plots path"))


@pytest.mark.parametrize(
    ("share", "counts", "expected"),
    [
        (0.5, [0, 10, 20, 20], 0.2),
        (0.75, [0, 10, 20, 20], 0.3),
        (0.5, [4, 4, 4, 4], 0.05),
        (0.99, [0, 0, 0, 5], 0.4),  # all above the last bound
        (0.5, [0, 0, 0, 0], None),
    ],
)
def test_percentiles_are_those_of_prometheus(
    page: Browser, share: float, counts: list[int], expected: float | None
) -> None:
    found = page.run(
        """const { quantile } = await import("/page/metrics.js");
        return quantile(arguments[0], [0.1, 0.2, 0.4, Infinity], arguments[1]);""",
        share,
        counts,
    )

    assert found == (None if expected is None else pytest.approx(expected))


def test_markup_cannot_get_into_the_page(page: Browser) -> None:
    tried = page.run("try { document.body.innerHTML = 'x'; return '' } catch (error) { return error.message }")

    assert "TrustedHTML" in tried
    page.said()  # and the console has a line about it


def test_a_key_is_asked_for_and_kept_for_the_tab_alone(site: Site, proven: Path) -> None:
    browser = site.browser
    with serving(proven, settings='keys=(b"sesame",)') as server:
        browser.open(server.url)
        note = browser.until(lambda: [text for text in browser.texts("#key-note") if text])
        assert note == ["This server asks for a key."]
        assert not browser.one("#drop").is_displayed()

        browser.one("#secret").send_keys("wrong\n")
        browser.until(lambda: browser.texts("#key-note") == ["The server does not know this key."])
        browser.one("#secret").clear()
        browser.one("#secret").send_keys("sesame\n")
        browser.until(lambda: browser.texts("#card h3") == ["colours version 1"])
        choose(browser, site.images / "blue.png")
        assert answers(browser, 1) == ["blue"]
        assert "sesame" not in browser.one("#curl").text + browser.driver.current_url
        assert browser.run("return localStorage.length + document.cookie.length") == 0

        browser.driver.refresh()
        browser.until(lambda: browser.texts("#card h3") == ["colours version 1"])
