"""lit_infer.predictions: the answer for one image, whatever its task."""

import numpy as np
import pytest

from lit_infer.predictions import Prediction
from lit_infer.tasks.choices import Choice
from lit_infer.tasks.image_classification import Classes
from lit_infer.tasks.image_embedding import Embedding


def test_a_prediction_is_a_value() -> None:
    top = (Choice("a", 0, 0.5),)

    assert Prediction(None, Classes("a", 0, 0.5, top)) == Prediction(None, Classes("a", 0, 0.5, top))
    one, same = (Prediction("p", Embedding(np.zeros(3, np.float32))) for _ in range(2))
    assert one == same
    assert hash(one) == hash(same)
    assert one != Prediction("p", Embedding(np.ones(3, np.float32)))
    with pytest.raises(AttributeError):
        top[0].score = 1.0  # type: ignore[misc]


def test_what_a_task_does_not_give_is_none() -> None:
    embedded, classified = Prediction(None, Embedding(np.zeros(2, np.float32))), Prediction(None, error="no", code="c")

    for prediction in (embedded, classified):
        assert (prediction.label, prediction.index, prediction.score, prediction.top) == (None, None, None, ())
    assert classified.embedding is None
