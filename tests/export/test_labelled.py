"""lit_export.labelled: which image is of which class, has which labels, shows which values."""

import json
from pathlib import Path

import pytest

from lit_export import labelled
from lit_export.labelled import Question
from lit_infer.errors import NotFoundError, UsageError
from tests.inference.tiny import LABELS, colour, save


def folders(root: Path, *names: str) -> Path:
    for name in names:
        save(root / name / "a.png", colour("red"))
    return root


def classes(root: Path, labels: list[str] | None, count: int = 0) -> dict[str, int]:
    found = labelled.classes(Question(root, labels, count or len(labels or ())))
    return {Path(str(path)).relative_to(root).parts[0]: index for path, index in found}


def test_a_class_may_be_missing(tmp_path: Path) -> None:
    assert classes(folders(tmp_path, "green"), list(LABELS)) == {"green": 1}


def test_a_folder_that_is_no_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="greene/ is not a class of the model; nearest: green"):
        classes(folders(tmp_path, "greene", "red"), list(LABELS))


def test_two_classes_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="2 of the model's classes are called crane"):
        classes(folders(tmp_path, "crane"), ["crane", "dog", "crane"])


@pytest.mark.parametrize(
    ("names", "count", "expected"),
    [
        (["cat", "dog"], 2, {"cat": 0, "dog": 1}),
        (["0", "1", "2"], 3, {"0": 0, "1": 1, "2": 2}),
        (["1", "7"], 10, {"1": 1, "7": 7}),
        (["00", "01", "02"], 3, {"00": 0, "01": 1, "02": 2}),
    ],
)
def test_classes_without_names_are_told_where_only_one_order_is_possible(
    tmp_path: Path, names: list[str], count: int, expected: dict[str, int]
) -> None:
    assert classes(folders(tmp_path, *names), None, count) == expected


@pytest.mark.parametrize(
    ("names", "count"),
    [
        (["cat", "dog"], 3),
        (["1", "2", "3"], 3),
        (["0", "1", "2"], 100),
        ([str(number) for number in range(11)], 11),
        (["0", "dog"], 3),
    ],
)
def test_what_could_be_two_orders_is_refused(tmp_path: Path, names: list[str], count: int) -> None:
    with pytest.raises(UsageError, match="not certain which"):
        classes(folders(tmp_path, *names), None, count)


def test_no_folder_and_no_sub_folders_are_said(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="one sub-folder per class"):
        labelled.classes(Question(tmp_path / "nowhere", LABELS, 3))
    save(tmp_path / "flat" / "a.png", colour("red"))
    with pytest.raises(UsageError, match="has no sub-folders"):
        labelled.classes(Question(tmp_path / "flat", LABELS, 3))


def metadata(root: Path, *rows: dict[str, object], suffix: str = ".jsonl") -> Path:
    """A folder with a table of these rows beside its images."""
    root.mkdir(exist_ok=True)
    table = root / f"metadata{suffix}"
    if suffix == ".jsonl":
        table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        table.write_text("\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]) + "\n")
    return root


ROWS: tuple[dict[str, object], ...] = (
    {"file_name": "a.png", "night": 1, "rain": 0},
    {"file_name": "deep/b.png", "night": 0, "rain": 1},
)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_a_table_says_what_is_true_of_each_image_in_the_models_order(suffix: str, tmp_path: Path) -> None:
    root = metadata(tmp_path / "data", *ROWS, suffix=suffix)

    found = labelled.values(Question(root, ["rain", "night"], 2))

    assert list(found) == [(root / "a.png", (0.0, 1.0)), (root / "deep/b.png", (1.0, 0.0))]
    assert next(iter(labelled.values(Question(root, None, 2))))[1] == (1.0, 0.0)


@pytest.mark.parametrize(
    ("rows", "labels", "size", "message"),
    [
        (ROWS, ["rain", "fog"], 2, "has no column fog; it has file_name, night, rain"),
        (ROWS, None, 3, "has 2 columns besides file_name; 3 are needed"),
        (({"file_name": "a.png", "night": "yes"},), ["night"], 1, "row 1: night is 'yes', not a number"),
        (({"file_name": "a.png", "night": None},), ["night"], 1, "row 1: night is None, not a number"),
        (({"name": "a.png", "night": 1},), ["night"], 1, "has no column file_name"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(
    rows: tuple[dict[str, object], ...], labels: list[str] | None, size: int, message: str, tmp_path: Path
) -> None:
    root = metadata(tmp_path / "data", *rows)

    with pytest.raises(UsageError, match=message):
        labelled.values(Question(root, labels, size))


def test_a_folder_without_a_table_is_told_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(
        NotFoundError,
        match=r"--data .*: expected a folder of images with metadata\.csv or .*, or a lit-train config\.yaml",
    ):
        labelled.values(Question(tmp_path, ["night"], 1))
    (tmp_path / "metadata.csv").write_text("")
    with pytest.raises(UsageError, match="has no rows"):
        labelled.values(Question(tmp_path, ["night"], 1))
    (tmp_path / "metadata.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="cannot be read"):
        labelled.values(Question(tmp_path, ["night"], 1))


@pytest.mark.parametrize(
    "line", ['"file_name"', "null", "5", "[1]", '{"file_name": "a.png", "night": 1' + "0" * 400 + "}"]
)
def test_a_line_that_is_not_a_row_is_one_message(line: str, tmp_path: Path) -> None:
    (tmp_path / "metadata.jsonl").write_text(line + "\n")
    with pytest.raises(UsageError, match=r"metadata\.jsonl, row 1: "):
        labelled.values(Question(tmp_path, ["night"], 1))


def test_a_spreadsheets_mark_before_the_first_name_is_not_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_bytes("\ufefffile_name,night\na.png,1\n".encode())
    assert list(labelled.values(Question(tmp_path, ["night"], 1))) == [(tmp_path / "a.png", (1.0,))]


def test_boxes_and_masks_of_yolo_s_text_files(tmp_path: Path) -> None:
    save(tmp_path / "images" / "a.png", colour("red"))
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("1 0.25 0.25 0.75 0.25 0.75 0.75 0.25 0.75\n")
    (tmp_path / "data.yaml").write_text("names: [red, green]\n")
    question = Question(tmp_path, LABELS, len(LABELS))

    (image, (found, classes)), *_ = labelled.boxes(question)
    (_, (masks, _)), *_ = labelled.instances(question)

    height, width = colour("red").shape[:2]
    assert image == tmp_path / "images" / "a.png"
    assert found.tolist() == [[width / 4, height / 4, 3 * width / 4, 3 * height / 4]]
    assert classes.tolist() == [1]
    assert masks[0].area == height * width / 4
    with pytest.raises(UsageError, match=r"data\.yaml is of a YOLO data set: name its folder"):
        list(labelled.boxes(Question(tmp_path / "data.yaml", LABELS, len(LABELS))))


def test_instances_of_a_configuration_have_their_masks(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    path = "data: {class_path: lit_trainer.data.%s, init_args: {count: 5, image_size: 32}}"
    config.write_text(path % "DigitInstancesDataModule")
    labels = list("0123456789")

    found = list(labelled.instances(Question(config, labels, 10)))

    boxed = list(labelled.boxes(Question(config, labels, 10)))
    assert len(found) == len(boxed) == 1
    (masks, classes), (boxes, *_) = found[0][1], boxed[0][1]
    assert len(masks) == len(classes) == len(boxes) > 0
    for mask, (left, top, right, bottom) in zip(masks, boxes.astype(int), strict=True):
        assert mask.size == (32, 32)
        assert mask.area == mask.mask()[top:bottom, left:right].sum() > 0
    config.write_text(path % "DigitBoxesDataModule")
    with pytest.raises(UsageError, match=r"its images have no masks of instances"):
        list(labelled.instances(Question(config, labels, 10)))
