"""lit_infer.folder.yolo: boxes and outlines in text files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder import yolo

LINES = {"a": "1 0.25 0.5 0.5 0.2\n\n0 0.5 0.5 1 1\n", "b": "", "sub/c": "0 0.1 0.1 0.1 0.1\n"}


def data_set(root: Path, lines: dict[str, str] = LINES, *, names: str | None = "cat\ndog\n", below: str = "") -> Path:
    """Images of 40 x 20 pixels, with these lines."""
    for name, text in lines.items():
        image, file = (root / kind / below / f"{name}{end}" for kind, end in (("images", ".png"), ("labels", ".txt")))
        for path in (image, file):
            path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 20)).save(image)
        file.write_text(text)
    if names is not None:
        (root / "classes.txt").write_text(names)
    return root


def test_shares_become_pixels_and_classes_those_of_the_model(tmp_path: Path) -> None:
    data_set(tmp_path)
    (tmp_path / "labels" / "b.txt").unlink()  # as where nothing is found

    names, (a, b, c) = yolo.read(tmp_path, labels=None)

    assert names == ("cat", "dog")
    assert a.path == tmp_path / "images" / "a.png"
    assert a.boxes == pytest.approx(np.array([[0, 8, 20, 12], [0, 0, 40, 20]]))
    assert a.labels.tolist() == [1, 0]
    assert (b.boxes.shape, b.labels.shape) == ((0, 4), (0,))
    assert c.path.name == "c.png"
    assert c.boxes == pytest.approx(np.array([[2, 1, 6, 3]]))

    names, (a, *_) = yolo.read(tmp_path, labels=("bird", "dog", "cat"))
    assert names == ("bird", "dog", "cat")
    assert a.labels.tolist() == [1, 2]
    with pytest.raises(UsageError, match=r"classes\.txt: dog is not a class of the model, which has cat"):
        yolo.read(tmp_path, labels=("cat",))


def test_outlines_are_masks_and_their_extent_a_box(tmp_path: Path) -> None:
    data_set(tmp_path, {"a": "0 0.25 0.2 0.75 0.2 0.75 0.6 0.25 0.6\n"})

    _, (found,) = yolo.read(tmp_path, labels=None, with_masks=True)

    expected = np.zeros((20, 40), bool)
    expected[4:12, 10:30] = True
    assert np.array_equal(found.masks[0].mask(), expected)
    assert found.boxes.tolist() == yolo.read(tmp_path, labels=None)[1][0].boxes.tolist()
    assert found.boxes == pytest.approx(np.array([[10, 4, 30, 12]]))
    data_set(tmp_path, {"a": LINES["a"]})
    with pytest.raises(UsageError, match=r"a\.txt, line 1: a box; masks need the corners"):
        yolo.read(tmp_path, labels=None, with_masks=True)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0 0.5 0.5 0.1", "4 numbers, expected a class and centre x, centre y, width, height"),
        ("0 0.5 0.5 0.1 0.1 0.93", "6 numbers, .* A sixth one is a score: these are predictions"),
        ("0 0.5 0.5 0.1 0.1 0.93 0.2 0.3", "8 numbers"),
        ("2 0.5 0.5 0.1 0.1", "class 2; there are 2, from 0 to 1"),
        ("-1 0.5 0.5 0.1 0.1", "class -1; there are 2"),
        ("0.5 0.5 0.5 0.1 0.1", "class 0.5; there are 2"),
        ("0 20 10 4 4", "a number beyond 0 and 1: positions are shares"),
        ("0 -0.1 0.5 0.1 0.1", "a number beyond 0 and 1"),
        ("0 0.5 0.5 0 0.1", "a box without a width or a height"),
        ("0 0.5 nan 0.1 0.1", "nan is no number"),
        ("0 0.5 0.5 0.1 inf", "inf is no number"),
        ("cat 0.5 0.5 0.1 0.1", "cat is no number"),
        ("0 " + "1" * 5000 + " 0 0 0", "is no number"),
    ],
)
def test_a_damaged_line_is_an_error_with_its_file_and_number(tmp_path: Path, line: str, words: str) -> None:
    data_set(tmp_path, {"a": f"0 0.5 0.5 0.1 0.1\n{line}\n"})

    with pytest.raises(UsageError, match=rf"labels/a\.txt, line 2: .*{words}"):
        yolo.read(tmp_path, labels=None)


def test_a_label_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data_set(tmp_path)
    (tmp_path / "labels" / "b.txt").write_bytes(b"\xff\xfe0 0 0")
    with pytest.raises(UsageError, match=r"b\.txt cannot be read"):
        yolo.read(tmp_path, labels=None)
    monkeypatch.setattr(yolo, "_BYTES", 3)
    with pytest.raises(UsageError, match="has more than 3 bytes"):
        yolo.read(tmp_path, labels=None)


def test_label_files_that_belong_to_no_image_or_are_elsewhere_are_refused(tmp_path: Path) -> None:
    data_set(tmp_path)
    (tmp_path / "labels" / "A.txt").write_text("")
    with pytest.raises(UsageError, match=r"labels/A\.txt has no image of its name"):
        yolo.read(tmp_path, labels=None)
    for path in (tmp_path / "labels").rglob("*.txt"):
        path.unlink()
    with pytest.raises(
        NotFoundError, match=r"none of 3 images has a label file; expected .*labels/a\.txt for .*a\.png"
    ):
        yolo.read(tmp_path, labels=None)
    Image.new("RGB", (4, 4)).save(tmp_path / "images" / "a.jpg")
    with pytest.raises(UsageError, match=r"a\.txt belongs to more than one image"):
        yolo.read(tmp_path, labels=None)


def test_without_names_it_is_not_certain_which_classes_they_are(tmp_path: Path) -> None:
    data_set(tmp_path, names=None)
    with pytest.raises(NotFoundError, match=r"expected data\.yaml with names, or classes\.txt"):
        yolo.read(tmp_path, labels=("cat", "dog"))
    (tmp_path / "labels" / "classes.txt").write_text("cat\ndog\n")  # where labelImg puts it
    assert yolo.read(tmp_path, labels=None)[0] == ("cat", "dog")


def test_splits_are_those_of_the_table(tmp_path: Path) -> None:
    data_set(tmp_path, {"a": "0 0.5 0.5 0.1 0.1\n"}, names=None, below="train")
    data_set(tmp_path, {"b": "1 0.5 0.5 0.1 0.1\n"}, names=None, below="val")
    table = tmp_path / "data.yaml"
    table.write_text("path: .\ntrain: images/train\nval: [images/val]\nnames:\n  0: cat\n  1: dog\nnc: 2\n")

    assert [one.path.name for one in yolo.read(tmp_path, labels=None)[1]] == ["b.png"]
    assert [one.path.name for one in yolo.read(tmp_path, labels=None, split="train")[1]] == ["a.png"]
    with pytest.raises(NotFoundError, match=r"data\.yaml names no test; it has train, val"):
        yolo.read(tmp_path, labels=None, split="test")
    table.write_text("train: images/train\nval: elsewhere\nnames: [cat, dog]\n")
    with pytest.raises(NotFoundError, match=r"val: there is no folder .*elsewhere"):
        yolo.read(tmp_path, labels=None)


def test_splits_beside_each_other_as_roboflow_writes_them(tmp_path: Path) -> None:
    data_set(tmp_path / "valid", {"a": "1 0.5 0.5 0.1 0.1\n"}, names=None)
    (tmp_path / "data.yaml").write_text("train: ../train/images\nval: ../valid/images\nnames: [cat, dog]\n")

    whole, part = (yolo.read(folder, labels=None)[1] for folder in (tmp_path, tmp_path / "valid"))

    assert [one.path for one in whole] == [one.path for one in part] == [tmp_path / "valid" / "images" / "a.png"]
    assert whole[0].labels.tolist() == [1]


def test_of_points_the_box_is_taken(tmp_path: Path) -> None:
    data_set(tmp_path, {"a": "0 0.5 0.5 0.5 0.5 0.1 0.2 2 0.3 0.4 2\n"}, names=None)
    (tmp_path / "data.yaml").write_text("kpt_shape: [2, 3]\nnames: [cat]\n")

    assert yolo.read(tmp_path, labels=None)[1][0].boxes == pytest.approx(np.array([[10, 5, 30, 15]]))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("names: [cat, dog", "cannot be read"),
        ("- cat", "expected names"),
        ("names: 3", "expected names, a list of the classes"),
        ("names: {1: cat, 2: dog}", "names must be numbered 0, 1, 2, …; they are 1, 2"),
        ("names: [cat, dog]\nnc: 3", "nc is 3, and there are 2 names"),
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, text: str, words: str) -> None:
    data_set(tmp_path, names=None)
    (tmp_path / "data.yaml").write_text(text)

    with pytest.raises(UsageError, match=rf"data\.yaml.*{words}"):
        yolo.read(tmp_path, labels=None)


def test_an_image_that_may_be_turned_or_is_none_is_refused(tmp_path: Path) -> None:
    data_set(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(tmp_path / "images" / "b.png", exif=exif)
    with pytest.raises(UsageError, match=r"b\.png has an EXIF orientation"):
        yolo.read(tmp_path, labels=None)
    (tmp_path / "images" / "b.png").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"b\.png: "):
        yolo.read(tmp_path, labels=None)
