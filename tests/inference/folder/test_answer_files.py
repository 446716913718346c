"""lit_infer.folder.answer_files: a file per image, whole or not there."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lit_infer import load
from lit_infer.errors import UsageError
from lit_infer.folder import run_job
from lit_infer.folder.answer_files import folder_beside
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from lit_infer.predictor import Predictor
from tests.inference.tiny import save
from tests.support.archives import zipped
from tests.support.dense_model import make_picture_bundle
from tests.support.mask_model import make_mask_bundle


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Predictor]:
    with load(make_mask_bundle(tmp_path_factory.mktemp("model") / "bundle"), device="cpu") as opened:
        yield opened


def halves(width: int, height: int) -> Any:
    """Red on the left, blue on the right."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2, 0] = pixels[:, width // 2 :, 2] = 200
    return pixels


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Files of the same stem and of the same name; one of them is damaged."""
    for name, size in {"a/1.png": (40, 16), "a/1.bmp": (24, 8), "b/1.png": (16, 32), "c.png": (8, 8)}.items():
        save(tmp_path / "in" / name, halves(*size))
    (tmp_path / "in" / "broken.png").write_bytes(b"x")
    return tmp_path / "in"


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def stopped(predictor: Predictor, images: Path, job: Job, *, after: int) -> None:
    numbers = itertools.count(1)

    def each(_: object) -> None:
        if next(numbers) >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(predictor, parse([str(images)]), job, each=each)


def test_each_row_names_the_mask_of_its_image_at_the_image_s_size(model: Predictor, images: Path) -> None:
    output = images.parent / "out.jsonl"

    run_job(model, parse([str(images)]), Job(output=output))

    found = {row["path"].removeprefix(f"{images}/"): row for row in rows(output)}
    folder = folder_beside(output, "masks")
    assert folder.name == "out-masks"
    for name, row in found.items():
        if name == "broken.png":
            assert (row["mask"], row["areas"], row["width"]) == (None, [], None)
            continue
        assert row["mask"] == str(folder / f"{name}.png")
        with Image.open(row["mask"]) as mask, Image.open(images / name) as image:
            assert mask.mode == "P"
            assert mask.size == (row["width"], row["height"]) == image.size
            assert np.array_equal(np.asarray(mask), np.where(np.asarray(image)[..., 0] > 0, 0, 2))
        assert {area["label"]: area["share"] for area in row["areas"]} == {"red": 0.5, "blue": 0.5}
    assert sum(path.suffix == ".png" for path in folder.rglob("*")) == 4
    assert sorted(path.name for path in images.parent.glob("*out*")) == ["out-masks", "out.jsonl"]


def test_a_repeated_run_replaces_the_masks_and_nobody_else_s_files(model: Predictor, images: Path) -> None:
    job = Job(output=images.parent / "out.jsonl")
    run_job(model, parse([str(images)]), job)
    before = {path: path.read_bytes() for path in folder_beside(images.parent / "out.jsonl", "masks").rglob("*.png")}
    (images / "c.png").unlink()

    run_job(model, parse([str(images)]), job)

    now = {path: path.read_bytes() for path in folder_beside(images.parent / "out.jsonl", "masks").rglob("*.png")}
    assert len(now) == 3
    assert now.items() <= before.items()

    (images.parent / "mine").mkdir()
    (images.parent / "mine" / "keep.txt").write_text("mine")
    with pytest.raises(UsageError, match="mine is not empty, and no run of lit-infer has made it"):
        run_job(model, parse([str(images)]), Job(output=job.output, masks=images.parent / "mine"))
    assert (images.parent / "mine" / "keep.txt").read_text() == "mine"


def test_an_interrupted_run_leaves_no_masks_under_their_final_name_and_goes_on(model: Predictor, images: Path) -> None:
    job, whole = Job(output=images.parent / "out.jsonl", batch_size=1), images.parent / "whole.jsonl"
    run_job(model, parse([str(images)]), Job(output=whole, batch_size=1))
    stopped(model, images, job, after=3)
    assert not folder_beside(images.parent / "out.jsonl", "masks").exists()

    summary = run_job(model, parse([str(images)]), Job(output=job.output, batch_size=1, resume=True))

    assert summary.resumed > 0
    made, expected = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.png")}
        for folder in (folder_beside(images.parent / "out.jsonl", "masks"), folder_beside(whole, "masks"))
    )
    assert made == expected
    assert [row["mask"] and Path(row["mask"]).is_file() for row in rows(images.parent / "out.jsonl")] == [
        row["mask"] and True for row in rows(whole)
    ]
    assert not list(images.parent.glob("*.partial"))


def test_rows_whose_masks_somebody_removed_are_made_again(model: Predictor, images: Path) -> None:
    import shutil

    job = Job(output=images.parent / "out.jsonl", batch_size=1)
    stopped(model, images, job, after=3)
    shutil.rmtree(images.parent / "out-masks.partial")

    summary = run_job(model, parse([str(images)]), Job(output=job.output, batch_size=1, resume=True))

    assert summary.resumed == 0
    assert all(Path(row["mask"]).is_file() for row in rows(images.parent / "out.jsonl") if row["mask"])


def test_masks_are_not_written_where_images_are_searched(model: Predictor, images: Path) -> None:
    with pytest.raises(UsageError, match=r"--masks .* lies in .*, which is searched: name a folder elsewhere"):
        run_job(model, parse([str(images)]), Job(output=images / "out.jsonl"))


def test_without_an_output_there_are_masks_only_where_they_are_asked_for(model: Predictor, images: Path) -> None:
    found: list[dict[str, Any]] = []

    run_job(model, parse([str(images / "c.png")]), Job(), each=found.append)
    run_job(model, parse([str(images / "c.png")]), Job(masks=images.parent / "m"), each=found.append)

    assert found[0]["mask"] is None
    assert Path(found[1]["mask"]).is_relative_to(images.parent / "m")
    assert Path(found[1]["mask"]).is_file()
    assert not list((images.parent / "m").rglob("*.jsonl"))
    assert sorted(path.name for path in images.parent.iterdir()) == ["in", "m"]


def test_members_of_an_archive_whose_names_collide_have_masks_of_their_own(model: Predictor, tmp_path: Path) -> None:
    from tests.inference.tiny import encoded

    data = encoded(Image.fromarray(halves(8, 8)), "PNG")
    (tmp_path / "x.zip").write_bytes(zipped(("a.png", data), ("a.png.png/b.png", data), ("../c.png", data)))

    run_job(model, parse([str(tmp_path / "x.zip")]), Job(output=tmp_path / "out.jsonl"))

    named = [row["mask"] for row in rows(tmp_path / "out.jsonl")]
    assert len(set(named)) == len(named) == 3
    assert all(Path(name).resolve().is_relative_to(tmp_path / "out-masks") for name in named)


def test_a_model_without_masks_has_no_such_folder(predictor: Predictor, colours: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--masks is for classes of pixels"):
        run_job(predictor, parse([str(colours)]), Job(output=tmp_path / "out.jsonl", masks=tmp_path / "m"))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_tables_have_the_areas(model: Predictor, images: Path, suffix: str) -> None:
    output = images.parent / f"out{suffix}"

    run_job(model, parse([str(images / "c.png")]), Job(output=output))

    if suffix == ".csv":
        assert '""label"": ""red""' in output.read_text()
        return
    import pyarrow.parquet

    (row,) = pyarrow.parquet.read_table(output).to_pylist()
    assert row["areas"][0] == {"label": "red", "index": 0, "pixels": 32, "share": 0.5}


@pytest.fixture(scope="module")
def negatives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Predictor]:
    with load(make_picture_bundle(tmp_path_factory.mktemp("pictures") / "bundle"), device="cpu") as opened:
        yield opened


def test_a_model_that_makes_pictures_writes_one_for_each_image(negatives: Predictor, images: Path) -> None:
    output, made = images.parent / "out.jsonl", images.parent / "made"

    run_job(negatives, parse([str(images)]), Job(output=output, images=made))

    for row in rows(output):
        if row["error"] is not None:
            assert row["image"] is None
            continue
        assert row["image"] == f"{made}/{row['path'].removeprefix(f'{images}/')}.png"
        with Image.open(row["image"]) as picture, Image.open(row["path"]) as image:
            assert picture.size == image.size == (row["width"], row["height"])
            middle = np.asarray(picture).astype(int)[:, 0] + np.asarray(image)[:, 0]
        assert np.abs(middle - 255).max() <= 1
    assert not (images.parent / "out-images").exists()


def test_pictures_of_an_interrupted_run_are_continued(negatives: Predictor, images: Path) -> None:
    job = Job(output=images.parent / "out.jsonl", batch_size=1)
    stopped(negatives, images, job, after=3)
    assert not (images.parent / "out-images").exists()

    summary = run_job(negatives, parse([str(images)]), Job(output=job.output, batch_size=1, resume=True))

    assert summary.resumed > 0
    assert sum(path.suffix == ".png" for path in (images.parent / "out-images").rglob("*")) == 4


def test_a_folder_for_what_a_model_does_not_make_is_refused(
    model: Predictor, negatives: Predictor, images: Path
) -> None:
    with pytest.raises(UsageError, match="--images is for pictures that a model makes, and masks"):
        run_job(model, parse([str(images)]), Job(output=images.parent / "out.jsonl", images=images.parent / "made"))
    with pytest.raises(UsageError, match="--masks is for classes of pixels, and negatives"):
        run_job(negatives, parse([str(images)]), Job(output=images.parent / "out.jsonl", masks=images.parent / "made"))
