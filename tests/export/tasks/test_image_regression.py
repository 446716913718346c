"""lit_export.tasks.image_regression: the numbers as they are, MAE and R²."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lit_export.tasks import TASKS, answers
from lit_infer.errors import GateError, UsageError
from lit_infer.manifest import DeploymentFacts, Resize, Step
from lit_infer.tasks import TASKS as RUNTIME
from tests.support.targets import target_for

TASK = TASKS["image-regression"]
READING = RUNTIME["image-regression"].reading(labels=None, answers={}, size=2)


class Net(nn.Module):
    """The mean brightness of each channel, in tens."""

    def __init__(self, ending: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.ending = ending

    def forward(self, images: Tensor) -> Any:
        return self.ending(images.mean((2, 3)) * 10)


def facts(**changes: Any) -> DeploymentFacts:
    return DeploymentFacts(task="image-regression", preprocess=(Step(resize=Resize(size=(8, 8))),), **changes)


@pytest.mark.parametrize(
    ("ending", "size"),
    [(lambda means: means, 3), (lambda means: means[:, 0], 1), (lambda means: means[:, :1], 1)],
    ids=["several", "[batch]", "[batch, 1]"],
)
def test_answers_of_one_or_several_values_are_given_as_they_are(ending: Callable[[Tensor], Any], size: int) -> None:
    found = target_for(Net(ending).eval(), facts())

    expected = found.example[0].astype(np.float32).mean((1, 2)) * (10 / 255)
    assert (found.outputs[0].name, found.outputs[0].shape) == ("values", ("batch", size))
    np.testing.assert_allclose(answers(found.module, found.example)[0], expected[:, :size], rtol=1e-4)


def test_an_answer_that_is_no_row_of_numbers_is_refused() -> None:
    with pytest.raises(GateError, match=r"answers \[batch, size\] for a batch of images; this one \[2, 3, 1\]"):
        target_for(Net(lambda means: means[..., None]).eval(), facts())
    with pytest.raises(GateError, match=r"the module answers \[\] for 2 images"):
        target_for(Net(torch.sum).eval(), facts())
    with pytest.raises(UsageError, match="2 labels are given and the model has 3"):
        target_for(Net(lambda means: means).eval(), facts(labels=("a", "b")))


def test_the_error_and_the_explained_share_are_those_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(0)
    truth = generator.normal(size=(50, 2))
    rows = (truth + generator.normal(size=(50, 2)) * 0.1).astype(np.float32)
    assert TASK.score is not None

    found = TASK.score.values(rows, truth.tolist(), READING)

    assert list(found) == ["MAE", "R2"]
    assert found["MAE"] == pytest.approx(metrics.mean_absolute_error(truth, rows), rel=1e-5)
    assert found["R2"] == pytest.approx(metrics.r2_score(truth, rows), rel=1e-5)


@pytest.mark.parametrize("truths", [[[1.0, 2.0]], [[1.0, 2.0], [1.0, 2.0]]], ids=["one image", "no spread"])
def test_there_is_no_explained_share_where_nothing_varies(truths: list[list[float]]) -> None:
    assert TASK.score is not None

    found = TASK.score.values(np.ones((len(truths), 2), dtype=np.float32), truths, READING)

    assert found == {"MAE": 0.5}
