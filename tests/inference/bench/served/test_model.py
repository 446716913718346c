"""The requests that are made, as the server counts them, and the answers that are not taken."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from lit_infer.bench.cells import CallingCell, calls, shared_by
from lit_infer.bench.measure import take_turns
from lit_infer.bench.served.client import ModelInfo, TensorInfo
from lit_infer.bench.served.http_connection import HttpAnswer
from lit_infer.bench.served.model import ServedModel
from lit_infer.bench.served.opening import Servers
from lit_infer.errors import EngineError, UsageError
from tests.inference.bench.servers import WAIT_S, counted
from tests.support.server.process import Server


@pytest.fixture
def model(server: Server) -> ServedModel:
    return Servers([server.url]).open()[0]


def test_as_many_images_are_asked_about_as_are_counted(server: Server, url: str, colours: Path) -> None:
    files = sorted(colours.rglob("*.png"))
    for images in ((), files):
        (model,) = Servers([url]).open(images=images)
        before = counted(server)

        one, three = take_turns([calls(model, 3), shared_by(model, 2)], seconds=0.04, rounds=2)

        warm_up = 2 * 3 + 2 * 2
        assert counted(server) - before == warm_up + 3 * one.calls + three.calls
        assert (one.via, one.batch_size, one.callers) == ("call", 3, 1)
        assert (three.via, three.batch_size, three.callers) == ("submit", 1, 2)
        for row in (one, three):
            assert (row.device, row.threads, row.failed, row.stages_ms) == ("server", 0, 0, None)
            assert row.decoded == bool(images)


def test_the_floor_asks_the_model_for_nothing(server: Server, url: str) -> None:
    (model,) = Servers([url]).open()
    before = counted(server)

    (row,) = take_turns([CallingCell(model, model.floor(2))], seconds=0.02, rounds=1)

    assert counted(server) == before
    assert row.calls >= 2


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_request_that_finds_the_queue_full_is_counted_and_in_no_figure(
    protocol: str, narrow_model: Callable[..., ServedModel]
) -> None:
    (row,) = take_turns([shared_by(narrow_model(protocol), 3)], seconds=0.05, rounds=1)

    assert row.failed > 0
    assert "1 items" in row.why_failed
    assert row.p50_ms > WAIT_S * 1e3  # those that were answered waited for company
    assert row.calls == len(row.times_ms)


def test_batches_that_one_request_cannot_hold_are_left_out_with_the_reason(
    model: ServedModel, narrow_model: Callable[..., ServedModel]
) -> None:
    assert model.sizes([1, 8, 64]) == ([1, 8, 64], "")

    sizes, why = narrow_model("http").sizes([1, 8, 64])

    assert sizes == [1, 8]
    assert "64 rows" in why


def test_a_graph_for_one_batch_is_asked_for_that(model: ServedModel) -> None:
    fixed = replace(model, info=replace(model.info, inputs=(TensorInfo("images", "UINT8", (4, 8, 8, 3)),)))

    assert fixed.sizes([1, 2])[0] == [4]
    with pytest.raises(UsageError, match=r"takes batches of 4; .*: --from"):
        fixed.many(2)


def answer(*, version: str = "1", name: str = "probabilities", array: Any = None) -> HttpAnswer:
    """A right answer to two rows, changed."""
    array = np.ones((2, 3), dtype=np.float32) if array is None else array
    size = {"binary_data_size": array.nbytes}
    output = {"name": name, "datatype": "FP32", "shape": list(array.shape), "parameters": size}
    head = msgspec.json.encode({"model_name": "colours", "model_version": version, "outputs": [output]})
    return HttpAnswer(head + array.tobytes(), len(head))


def test_a_right_answer_is_taken(model: ServedModel) -> None:
    assert model.check(answer(), 2).outputs["probabilities"].tolist() == [[1, 1, 1], [1, 1, 1]]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": "2"}, "version 2 answers for it now"),
        ({"name": "logits"}, "answered logits: its metadata says otherwise"),
        ({"array": np.ones((1, 3), dtype=np.float32)}, r"\[1, 3\] to 2 rows"),
        ({"array": np.ones((2, 4), dtype=np.float32)}, r"\[2, 4\] to 2 rows; its metadata says \[-1, 3\]"),
        ({"array": np.full((2, 3), np.nan, dtype=np.float32)}, "NaN or infinity in probabilities"),
    ],
)
def test_a_wrong_answer_is_no_quick_one(change: dict[str, Any], says: str, model: ServedModel) -> None:
    with pytest.raises(EngineError, match=says):
        model.check(answer(**change), 2)


def test_rows_of_a_model_without_a_batch_are_not_counted(model: ServedModel) -> None:
    info: ModelInfo = replace(model.info, max_batch=0)

    assert replace(model, info=info).check(answer(array=np.ones((5, 3), dtype=np.float32)), 2)


@pytest.mark.parametrize(
    "damaged",
    [
        HttpAnswer(b"{}", None),
        HttpAnswer(b"{}", 3),
        HttpAnswer(b"{}", 2),
        HttpAnswer(b"not json", 8),
        HttpAnswer(answer().body[:-1], answer().header_length),
    ],
)
def test_an_answer_that_is_not_of_the_protocol_is_an_error(damaged: HttpAnswer, model: ServedModel) -> None:
    with pytest.raises(EngineError, match=model.client.address.url):
        model.check(damaged, 2)
