"""lit_infer.folder.html_layers: pictures over the thumbnails of a report."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lit_infer import load
from lit_infer.folder import html_layers, run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from lit_infer.tasks import TASKS, Ask
from tests.inference.tiny import save
from tests.support.dense_model import make_picture_bundle
from tests.support.server.browser import chromium


def test_a_small_picture_has_the_thumbnail_s_size_and_other_kinds_have_none() -> None:
    task = TASKS["image-to-image"]
    (made,) = task.read(
        [np.full((1, 3, 40, 60), 0.5, np.float32)], [Ask()], task.reading(labels=None, answers={}, size=None)
    )

    found = html_layers.small(task.kind, made, (30, 20))

    assert found is not None
    with Image.open(io.BytesIO(base64.b64decode(found.partition(",")[2]))) as image:
        assert image.size == (30, 20)
        assert np.asarray(image)[5, 5].tolist() == [128, 128, 128]
    assert html_layers.small("classes", made, (30, 20)) is None


@pytest.mark.slow
def test_a_report_shows_before_and_after_on_both_sides_of_a_slider(tmp_path: Path) -> None:
    save(tmp_path / "a.png", np.full((80, 160, 3), 30, np.uint8))
    with load(make_picture_bundle(tmp_path / "bundle"), device="cpu") as model:
        run_job(model, parse([str(tmp_path / "a.png")]), Job(report=tmp_path / "out.html"))
    clip: Any = "return getComputedStyle(document.querySelector('img.split')).clipPath"

    with chromium() as browser:
        browser.open((tmp_path / "out.html").as_uri())
        assert browser.run(clip) == "inset(0px 0px 0px 50%)"
        first, second = (browser.one(f".picture img:nth-child({one})").rect for one in (1, 2))
        assert first == pytest.approx(second, abs=1)
        browser.run(
            "const it = document.querySelector('[name=split]'); it.value = 20; it.dispatchEvent(new Event('input'))"
        )
        assert browser.run(clip) == "inset(0px 0px 0px 20%)"
        assert browser.is_as_wide_as(360)
        assert browser.said() == []
