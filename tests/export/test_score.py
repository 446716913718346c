"""lit_export.score: which image is of which class, and how many a graph gets right."""

from pathlib import Path

import numpy as np
import pytest

from lit_export import score
from lit_infer import load
from lit_infer.errors import GateError, NotFoundError, UsageError
from lit_infer.predictor import Predictor
from tests.inference.tiny import LABELS, colour, make_bundle, save


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return load(make_bundle(tmp_path_factory.mktemp("bundle") / "colours"), device="cpu")


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Two images of each colour; one blue is among the red."""
    for label in LABELS:
        for strength in (100, 200):
            save(tmp_path / "data" / label / f"{strength}.png", colour(label, strength))
    save(tmp_path / "data" / "red" / "deep" / "wrong.png", colour("blue"))
    return tmp_path / "data"


def folders(root: Path, *names: str) -> Path:
    for name in names:
        save(root / name / "a.png", colour("red"))
    return root


def classes(root: Path, labels: list[str] | None, count: int | None = None) -> dict[str, int]:
    found = score.labelled_images(root, labels, classes=count)
    return {Path(str(path)).relative_to(root).parts[0]: index for path, index in found}


def test_folders_are_classes_by_their_names(labelled: Path, predictor: Predictor) -> None:
    items = score.labelled_images(labelled, LABELS)
    assert len(list(items)) == 7
    assert score.top1(predictor, items) == pytest.approx(6 / 7)
    assert score.top1(predictor, items, batch_size=2) == pytest.approx(6 / 7)


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
        (["cat", "dog"], None),
        (["1", "2", "3"], 3),
        (["0", "1", "2"], 100),
        ([str(number) for number in range(11)], 11),
        (["0", "dog"], 3),
    ],
)
def test_what_could_be_two_orders_is_refused(tmp_path: Path, names: list[str], count: int | None) -> None:
    with pytest.raises(UsageError, match="not certain which"):
        classes(folders(tmp_path, *names), None, count)


def test_no_folder_and_no_sub_folders_are_said(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="one sub-folder per class"):
        score.labelled_images(tmp_path / "nowhere", LABELS)
    save(tmp_path / "flat" / "a.png", colour("red"))
    with pytest.raises(UsageError, match="has no sub-folders"):
        score.labelled_images(tmp_path / "flat", LABELS)


def test_labelled_data_must_be_whole(labelled: Path, predictor: Predictor) -> None:
    (labelled / "green" / "broken.png").write_bytes(b"not an image")
    items = score.labelled_images(labelled, LABELS)
    with pytest.raises(GateError, match=r"green/broken.png cannot be used"):
        score.top1(predictor, items)


def test_the_eager_module_is_scored_on_the_same_pixels(labelled: Path, predictor: Predictor) -> None:
    torch = pytest.importorskip("torch")

    class Strongest(torch.nn.Module):  # type: ignore[misc]
        def forward(self, images: object) -> object:
            assert images.dtype == torch.uint8  # type: ignore[attr-defined]
            return images.float().mean((1, 2))  # type: ignore[attr-defined]

    items = score.labelled_images(labelled, LABELS)
    found = score.eager_top1(Strongest().eval(), items, prepare=predictor.prepare, batch_size=3)
    assert found == score.top1(predictor, items)
    with pytest.raises(GateError, match="training mode"):
        score.eager_top1(Strongest(), items, prepare=predictor.prepare)
    (labelled / "green" / "broken.png").write_bytes(b"")
    with pytest.raises(GateError, match=r"green/broken.png cannot be used: the file is empty"):
        score.eager_top1(Strongest().eval(), score.labelled_images(labelled, LABELS), prepare=predictor.prepare)


def test_no_images_have_no_score(predictor: Predictor) -> None:
    with pytest.raises(UsageError, match="no labelled images"):
        score.top1(predictor, [])


def test_a_drop_within_the_gate_passes() -> None:
    score.check_drop(0.9, 0.9)
    score.check_drop(0.95, 0.9)
    score.check_drop(0.895, 0.9)
    score.check_drop(0.8, 0.9, max_drop=0.1)


def test_a_larger_drop_is_refused_with_both_scores() -> None:
    with pytest.raises(GateError, match=r"from 90.00% \(eager\) to 89.40%, by 0.60 points; 0.5 are allowed"):
        score.check_drop(0.894, 0.9)
    with pytest.raises(GateError):
        score.check_drop(float(np.nan), 0.9)
