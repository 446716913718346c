from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from lit_infer.bench import plot
from lit_infer.bench.rows import BenchRow
from lit_infer.errors import NotFoundError, UsageError
from tests.inference.bench.rows import ON_SERVER, ROW

pytest.importorskip("matplotlib")

ROWS = [ROW, replace(ROW, batch_size=8), replace(ROW, via="submit", callers=8), replace(ROW, format="pt2", threads=1)]
SERVED = [replace(ROW, **ON_SERVER, format="http"), replace(ROW, **ON_SERVER, format="http", via="submit", callers=8)]


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1], SERVED, [replace(ROW, via="submit", times_ms=(1.0,))]])
def test_a_picture_of_the_rows_is_drawn(rows: list[BenchRow], tmp_path: Path) -> None:
    plot.save(tmp_path / "out.png", rows, title="a model")

    with Image.open(tmp_path / "out.png") as image:
        assert image.width > 1000
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]


def test_a_name_that_is_no_picture_s_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.png, \.svg or \.pdf"):
        plot.check(tmp_path / "out.gif")
    with pytest.raises(NotFoundError, match="there is no folder"):
        plot.check(tmp_path / "nowhere/out.png")
    plot.check(tmp_path / "out.svg")
