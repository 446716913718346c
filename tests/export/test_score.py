"""lit_export.score: how good a graph and the eager module are on the same labelled images."""

from pathlib import Path

import numpy as np
import pytest

from lit_export import score
from lit_export.labelled import Labelled, Question
from lit_export.labelled import classes as classes_of
from lit_export.tasks import TASKS
from lit_infer import load
from lit_infer.errors import GateError, UsageError
from lit_infer.predictor import Predictor
from lit_infer.tasks import TASKS as RUNTIME
from lit_infer.tasks import Metric
from tests.inference.tiny import LABELS, colour, make_bundle, save

TASK = TASKS["image-classification"]
METRIC = RUNTIME["image-classification"].metric
assert TASK.score is not None
assert METRIC is not None
ACCURACY = TASK.score
READING = RUNTIME["image-classification"].reading(labels=LABELS, answers={}, size=3)


def of_colours(root: Path) -> Labelled:
    return classes_of(Question(root, LABELS, 3))


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


def test_folders_are_classes_by_their_names(labelled: Path, predictor: Predictor) -> None:
    items = of_colours(labelled)
    assert len(list(items)) == 7
    assert score.of_graph(predictor, items, ACCURACY) == {"accuracy": pytest.approx(6 / 7)}
    assert score.of_graph(predictor, items, ACCURACY, batch_size=2) == {"accuracy": pytest.approx(6 / 7)}


def test_labelled_data_must_be_whole(labelled: Path, predictor: Predictor) -> None:
    (labelled / "green" / "broken.png").write_bytes(b"not an image")
    items = of_colours(labelled)
    with pytest.raises(GateError, match=r"green/broken.png cannot be used"):
        score.of_graph(predictor, items, ACCURACY)


def test_the_eager_module_is_scored_on_the_same_pixels(labelled: Path, predictor: Predictor) -> None:
    torch = pytest.importorskip("torch")

    class Strongest(torch.nn.Module):  # type: ignore[misc]
        def forward(self, images: object) -> object:
            assert images.dtype == torch.uint8  # type: ignore[attr-defined]
            return images.float().mean((1, 2))  # type: ignore[attr-defined]

    items = of_colours(labelled)
    found = score.of_module(Strongest().eval(), items, ACCURACY, READING, prepare=predictor.prepare, batch_size=3)
    assert found == score.of_graph(predictor, items, ACCURACY)
    with pytest.raises(GateError, match="training mode"):
        score.of_module(Strongest(), items, ACCURACY, READING, prepare=predictor.prepare)
    (labelled / "green" / "broken.png").write_bytes(b"")
    with pytest.raises(GateError, match=r"green/broken.png cannot be used: the file is empty"):
        score.of_module(Strongest().eval(), of_colours(labelled), ACCURACY, READING, prepare=predictor.prepare)


def test_no_images_have_no_score(predictor: Predictor) -> None:
    with pytest.raises(UsageError, match="no labelled images"):
        score.of_graph(predictor, [], ACCURACY)


def test_a_drop_within_the_gate_passes() -> None:
    score.check_drop(METRIC, graph=0.9, eager=0.9)
    score.check_drop(METRIC, graph=0.95, eager=0.9)
    score.check_drop(METRIC, graph=0.895, eager=0.9)
    score.check_drop(METRIC, graph=0.8, eager=0.9, max_drop=0.1)


def test_a_larger_drop_is_refused_with_both_scores() -> None:
    with pytest.raises(GateError, match=r"from 90.00% \(eager\) to 89.40%, by 0.60 points; 0.5 are allowed"):
        score.check_drop(METRIC, graph=0.894, eager=0.9)
    with pytest.raises(GateError):
        score.check_drop(METRIC, graph=float(np.nan), eager=0.9)


def test_an_error_may_grow_by_a_share_of_itself() -> None:
    error = Metric("MAE", better="min")
    score.check_drop(error, graph=2.005, eager=2.0)
    score.check_drop(error, graph=1.0, eager=2.0)
    score.check_drop(error, graph=0.0, eager=0.0)
    with pytest.raises(GateError, match=r"MAE rose from 2 \(eager\) to 2\.1, by 5\.00 %; 0\.5 are allowed"):
        score.check_drop(error, graph=2.1, eager=2.0)
    with pytest.raises(GateError, match="from nothing"):
        score.check_drop(error, graph=0.1, eager=0.0)
