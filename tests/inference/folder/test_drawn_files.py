"""lit_infer.folder.drawn_files: annotated copies of the images of a run."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lit_infer import load, progress
from lit_infer.errors import UsageError
from lit_infer.folder import run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from lit_infer.predictor import Predictor
from tests.inference.tiny import save
from tests.support.dense_model import make_anomaly_bundle, make_picture_bundle
from tests.support.point_model import make_point_bundle


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Predictor]:
    with load(make_point_bundle(tmp_path_factory.mktemp("model") / "bundle"), device="cpu") as opened:
        yield opened


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for name, size in {"a/1.png": (61, 43), "a/1.jpg": (83, 90), "b/1.bmp": (64, 32)}.items():
        save(tmp_path / "in" / name, np.full((size[1], size[0], 3), (250, 60, 180), np.uint8))
    (tmp_path / "in" / "broken.png").write_bytes(b"x")
    return tmp_path / "in"


def test_each_image_has_a_copy_of_its_size_with_its_points(model: Predictor, images: Path) -> None:
    drawn = images.parent / "drawn"

    run_job(model, parse([str(images)]), Job(draw=drawn))

    found = sorted(path.relative_to(drawn).as_posix() for path in drawn.rglob("*.*g"))
    assert found == ["a/1.jpg.jpg", "a/1.png.png", "b/1.bmp.png"]
    assert sorted(path.name for path in drawn.iterdir()) == [".lit-infer", "a", "b"]
    assert sorted(path.name for path in images.parent.iterdir()) == ["drawn", "in"]
    for name in found:
        with Image.open(drawn / name) as copy, Image.open(images / name[:-4]) as image:
            assert copy.size == image.size
            assert copy.format == ("JPEG" if name.endswith("jpg") else "PNG")
            assert not np.array_equal(np.asarray(copy), np.asarray(image.convert("RGB")))


def test_an_interrupted_run_goes_on_and_has_the_same_files_in_the_end(model: Predictor, images: Path) -> None:
    base, numbers = images.parent, itertools.count(1)
    run_job(model, parse([str(images)]), Job(output=base / "whole.jsonl", draw=base / "whole", batch_size=1))
    job = Job(output=base / "out.jsonl", draw=base / "drawn", batch_size=1)

    def each(_: object) -> None:
        if next(numbers) >= 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(model, parse([str(images)]), job, each=each)
    assert not (base / "drawn").exists()
    summary = run_job(model, parse([str(images)]), Job(output=job.output, draw=job.draw, batch_size=1, resume=True))

    assert summary.resumed > 0
    made, expected = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (base / "drawn", base / "whole")
    )
    assert made == expected
    assert len(made) == 4  # and the marker


def test_sixteen_bits_are_drawn_as_eight_and_what_pillow_cannot_read_is_told(
    model: Predictor, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lit_infer.folder import drawn_files

    Image.fromarray(np.full((200, 200), 32768, np.uint16)).save(images / "deep.png")
    run_job(model, parse([str(images / "deep.png")]), Job(draw=images.parent / "drawn"))
    with Image.open(next((images.parent / "drawn").rglob("deep*.png"))) as copy:
        assert copy.getpixel((0, 199)) == (128, 128, 128)

    monkeypatch.setattr(drawn_files, "FORMATS", ("GIF",))
    said: list[str] = []
    with progress.listening(progress.Listener(note=said.append)):
        run_job(model, parse([str(images / "a")]), Job(draw=images.parent / "none"))
    assert sum("is not drawn: Pillow cannot read it" in line for line in said) == 1
    assert "warning: 2 images are not drawn" in said


def test_where_other_files_are_or_will_be_it_is_refused(model: Predictor, predictor: Predictor, images: Path) -> None:
    with pytest.raises(UsageError, match=r"--draw .* lies in .*, which is searched"):
        run_job(model, parse([str(images)]), Job(draw=images / "drawn"))
    with pytest.raises(UsageError, match=r"--draw and --sort-into are both .*d: name a folder for each"):
        run_job(predictor, parse([str(images)]), Job(draw=images.parent / "d", sort_into=images.parent / "d"))
    (images.parent / "mine").mkdir()
    (images.parent / "mine" / "x").touch()
    with pytest.raises(UsageError, match="no run of lit-infer has made it: name another with --draw DIR"):
        run_job(model, parse([str(images)]), Job(draw=images.parent / "mine"))


def test_a_model_whose_answers_cannot_be_drawn_is_refused(images: Path, tmp_path: Path) -> None:
    from tests.support.server.proven import make_proven

    with load(make_proven(tmp_path / "v", name="v", task="image-embedding"), device="cpu") as vectors:
        job = Job(draw=tmp_path / "drawn", embeddings=tmp_path / "e.npy")
        with pytest.raises(UsageError, match=r"--draw: v .* gives nothing that could be drawn"):
            run_job(vectors, parse([str(images)]), job)


def test_pictures_stand_beside_their_images_and_heat_lies_over_them(images: Path, tmp_path: Path) -> None:
    source = images / "a"
    for name, make, wider in (("pictures", make_picture_bundle, 2), ("heat", make_anomaly_bundle, 1)):
        folder = tmp_path / name
        with load(make(tmp_path / f"{name}-model"), device="cpu") as model:
            run_job(model, parse([str(source)]), Job(draw=folder))
        for file, size in (("1.png.png", (61, 43)), ("1.jpg.jpg", (83, 90))):
            with Image.open(folder / file) as copy:
                assert copy.size == (wider * size[0], size[1])
                assert copy.format == file[-3:].replace("jpg", "jpeg").upper()


def test_what_is_too_wide_for_a_jpeg_is_a_png(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lit_infer.folder import drawn_files

    save(tmp_path / "in" / "1.jpg", np.full((90, 83, 3), 60, np.uint8))
    monkeypatch.setattr(drawn_files, "_LONGEST", 100)
    with load(make_picture_bundle(tmp_path / "model"), device="cpu") as model:
        run_job(model, parse([str(tmp_path / "in")]), Job(draw=tmp_path / "drawn"))

    assert [path.name for path in (tmp_path / "drawn").glob("*.*g")] == ["1.jpg.png"]
