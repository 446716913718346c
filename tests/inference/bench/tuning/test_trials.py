"""What single settings give, on the tiny model."""

from dataclasses import replace

import msgspec
import pytest

from lit_infer.bench.measure import ROUNDS
from lit_infer.bench.subjects import Subject
from lit_infer.bench.tuning.aims import Tried
from lit_infer.bench.tuning.trials import STREAM_ROUNDS, from_row, loaded, streamed
from lit_infer.predictor import Predictor
from tests.inference.bench.rows import ROW


@pytest.fixture
def tensor(predictor: Predictor) -> Subject:
    """The tiny model as one for task tensor."""
    described = msgspec.structs.replace(predictor.manifest, task="tensor")
    return Subject("onnx", Predictor(described, predictor.sessions.opened()[0], threads=1))


def test_each_setting_under_load_has_a_latency_at_its_own_batch_size(predictor: Predictor) -> None:
    told: list[None] = []
    subject = Subject("onnx", predictor)

    found = loaded([(subject, 1), (subject, 4)], 90, 0.02, lambda: told.append(None))

    assert [(one.engine, one.threads, one.batch_size) for one in found] == [
        ("onnx", predictor.threads, 1),
        ("onnx", predictor.threads, 4),
    ]
    assert all(one.latency_ms is not None and one.latency_ms > 0 for one in found)
    assert len(told) == 2 * ROUNDS


def test_each_setting_that_streams_has_a_rate_and_no_latency(predictor: Predictor) -> None:
    told: list[None] = []

    found = streamed([Subject("onnx", predictor)], [1, 2], 0.02, lambda: told.append(None))

    assert [(one.batch_size, one.latency_ms) for one in found] == [(1, None), (2, None)]
    assert all(one.images_per_s > 0 for one in found)
    assert len(told) == 2 * STREAM_ROUNDS


def test_a_tensor_model_is_called_where_others_stream_or_share(tensor: Subject) -> None:
    (called,) = streamed([tensor], [2], 0.02, lambda: None)
    (alone,) = loaded([(tensor, 2)], 90, 0.02)

    assert (called.batch_size, called.latency_ms) == (2, None)
    assert (alone.batch_size, alone.threads) == (2, 1)
    assert alone.latency_ms is not None


def test_a_row_is_a_trial_of_its_setting_or_of_the_one_that_is_named() -> None:
    row = replace(ROW, batch_size=4)

    assert from_row(row, 3.0) == Tried(row.format, row.threads, 4, row.images_per_s, 3.0)
    assert from_row(row, None, batch_size=8) == Tried(row.format, row.threads, 8, row.images_per_s, None)
