"""lit_infer.folder.nearest: the most similar images of others."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lit_infer import load
from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder import nearest, run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from lit_infer.predictor import Predictor
from tests.inference.tiny import make_bundle, save


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Predictor]:
    """Its embedding says how much of the three colours is in an image."""
    folder = tmp_path_factory.mktemp("model") / "bundle"
    with load(make_bundle(folder, task="image-embedding", labels=None), device="cpu") as opened:
        yield opened


def paint(path: Path, *colour: int) -> Path:
    return save(path, np.full((9, 12, 3), colour, np.uint8))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Queries in `in/`, and in `others/` images that are more or less like them; one is damaged."""
    paint(tmp_path / "in" / "red.png", 250, 0, 0)
    paint(tmp_path / "in" / "blue.png", 0, 0, 250)
    (tmp_path / "in" / "broken.png").write_bytes(b"x")
    for name, colour in {"red": (200, 0, 0), "reddish": (200, 80, 0), "green": (0, 200, 0), "blue": (0, 0, 90)}.items():
        paint(tmp_path / "others" / f"{name}.png", *colour)
    (tmp_path / "others" / "broken.png").write_bytes(b"x")
    return tmp_path


def rows(path: Path) -> dict[str, Any]:
    return {Path(row["path"]).name: row for row in map(json.loads, path.read_text().splitlines())}


def names(row: Any) -> list[str]:
    return [Path(one["path"]).stem for one in row["nearest"]]


def test_the_most_similar_of_a_folder_are_in_the_rows_best_first(model: Predictor, photos: Path) -> None:
    output = photos / "out.jsonl"

    run_job(model, parse([str(photos / "in")]), Job(output=output, top_k=2, nearest=photos / "others"))

    found = rows(output)
    assert names(found["red.png"]) == ["red", "reddish"]
    assert names(found["blue.png"])[0] == "blue"
    assert found["broken.png"]["nearest"] == []
    similarities = [one["similarity"] for one in found["red.png"]["nearest"]]
    assert 1 >= similarities[0] > similarities[1] > 0
    vectors = [np.asarray(one.embedding) for one in model.predict([photos / "in/red.png", photos / "others/red.png"])]
    cosine = float(vectors[0] @ vectors[1] / np.linalg.norm(vectors[0]) / np.linalg.norm(vectors[1]))
    assert similarities[0] == pytest.approx(cosine, rel=1e-5)


def test_an_image_is_not_the_most_similar_to_itself(model: Predictor, photos: Path) -> None:
    output = photos / "out.jsonl"

    run_job(model, parse([str(photos / "others")]), Job(output=output, top_k=9, nearest=photos / "others"))

    for name, row in rows(output).items():
        assert Path(name).stem not in names(row)
        assert len(row["nearest"]) == (0 if name == "broken.png" else 3)


def test_embeddings_of_an_earlier_run_are_searched_under_the_names_of_its_rows(model: Predictor, photos: Path) -> None:
    earlier = Job(output=photos / "others.jsonl", embeddings=photos / "others.npy")
    run_job(model, parse([str(photos / "others")]), earlier)
    fresh, stored = photos / "fresh.jsonl", photos / "stored.jsonl"

    run_job(model, parse([str(photos / "in")]), Job(output=fresh, nearest=photos / "others"))
    run_job(model, parse([str(photos / "in")]), Job(output=stored, nearest=photos / "others.npy"))

    for name, row in rows(stored).items():
        assert names(row) == names(rows(fresh)[name])
        assert "broken" not in names(row)  # its vector is NaN
    (photos / "others.jsonl").unlink()
    run_job(model, parse([str(photos / "in")]), Job(output=stored, nearest=photos / "others.npy"))
    assert rows(stored)["red.png"]["nearest"][0]["path"] == "others.npy row 3"


def test_blocks_give_what_the_whole_would(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    vectors, queries = (generator.normal(size=(count, 5)).astype(np.float32) for count in (100, 7))
    vectors[[3, 50]] = np.nan
    vectors[4] = 0
    gallery = nearest.Gallery([str(index) for index in range(100)], vectors)
    whole = gallery.nearest(queries, 10)
    monkeypatch.setattr(nearest, "_BLOCK", 13)

    found = gallery.nearest(queries, 10)

    assert np.array_equal(found[0], whole[0])
    lengths = np.linalg.norm(vectors, axis=1)
    cosines = np.nan_to_num(queries @ vectors.T / np.where(lengths, lengths, 1), nan=-np.inf)
    assert np.array_equal(whole[0], np.argsort(-cosines, axis=1, kind="stable")[:, :10])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda path: np.save(path, np.zeros((4, 7), np.float32)),
            r"has float32 \[4, 7\], and colours gives vect",
        ),
        (lambda path: path.write_bytes(b"x"), "cannot be read"),
        (lambda path: path.with_suffix(".jsonl").write_text("{}\n"), "no such file or folder"),
    ],
    ids=["of another model", "damaged", "missing"],
)
def test_what_cannot_be_searched_is_named(model: Predictor, photos: Path, make: Any, message: str) -> None:
    make(photos / "vectors.npy")

    with pytest.raises((UsageError, NotFoundError), match=message):
        run_job(model, parse([str(photos / "in")]), Job(output=photos / "o.jsonl", nearest=photos / "vectors.npy"))


def test_names_of_another_run_are_refused(model: Predictor, photos: Path) -> None:
    np.save(photos / "v.npy", np.ones((2, 3), np.float32))
    job = Job(output=photos / "o.jsonl", nearest=photos / "v.npy")
    (photos / "v.jsonl").write_text('{"path": "a"}\n')
    with pytest.raises(UsageError, match=r"has 1 rows, and .* 2 vectors: they are not of one run"):
        run_job(model, parse([str(photos / "in")]), job)
    (photos / "v.jsonl").write_text("no rows\n")
    with pytest.raises(UsageError, match="holds no rows of lit-infer"):
        run_job(model, parse([str(photos / "in")]), job)


def test_a_run_whose_others_have_changed_is_not_continued(model: Predictor, photos: Path) -> None:
    inputs, job = parse([str(photos / "in")]), Job(output=photos / "o.jsonl", batch_size=1, nearest=photos / "others")

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(model, inputs, job, each=stop)
    paint(photos / "others" / "new.png", 1, 2, 3)

    with pytest.raises(UsageError, match="--nearest"):
        run_job(model, inputs, Job(output=job.output, batch_size=1, nearest=photos / "others", resume=True))


def test_the_report_shows_the_similar_images(model: Predictor, photos: Path) -> None:
    job = Job(report=photos / "out.html", top_k=3, nearest=photos / "others")

    run_job(model, parse([str(photos / "in")]), job)

    page = (photos / "out.html").read_text()
    assert page.count('<div class="beside">') == 2
    assert page.count(f'title="{photos}/others/') == 6


def test_only_embeddings_are_compared(photos: Path) -> None:
    job = Job(output=photos / "o.jsonl", nearest=photos / "others")
    with (
        load(make_bundle(photos / "classes"), device="cpu") as classes,
        pytest.raises(UsageError, match="--nearest is for embeddings, and colours"),
    ):
        run_job(classes, parse([str(photos / "in")]), job)
