"""Batches of one model, without a server around them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lit_infer.batching.batcher import BatchPolicy
from lit_infer.errors import OverloadedError, UsageError
from lit_infer.manifest import Tensor
from lit_infer.predictor import load
from lit_infer.server.models.batches import Batches
from lit_infer.server.models.instances import InThreads
from lit_infer.server.models.runner import Runner
from lit_infer.server.models.stats import Stats
from tests.inference.tiny import LABELS, SIDE, colour, make_bundle
from tests.support.server.proven import expected
from tests.support.server.requests import png

IMAGES = np.stack([colour(LABELS[i % 3], 50 + i) for i in range(10)])


@contextmanager
def runner(
    folder: Path, *, max_delay: float = 0.0, max_items: int = 100, **changes: Any
) -> Iterator[tuple[Runner, Any]]:
    """A runner over the tiny graph, described otherwise, and the batch sizes that the graph was given."""
    sizes: list[int] = []
    with load(make_bundle(folder / "b", **changes), device="cpu", threads=1) as predictor:
        graph = predictor.sessions.for_many()

        def run(inputs: Any) -> Any:
            sizes.append(len(inputs[0]))
            return graph(inputs)

        batches = Batches(predictor.manifest, run, predictor.prepared, max_batch=4)
        policy = BatchPolicy(4, max_delay, max_items=max_items)
        opened = Runner(InThreads(predictor, batches, count=1), policy=policy, stats=Stats())
        yield opened, sizes
        opened.close()


def fixed(rows: int) -> dict[str, Any]:
    return {
        "inputs": (Tensor(name="images", dtype="uint8", shape=(rows, SIDE, SIDE, 3)),),
        "outputs": (Tensor(name="probabilities", dtype="float32", shape=(rows, 3)),),
    }


def outputs(futures: Any) -> np.ndarray:
    return np.concatenate([future.result().outputs[0] for future in futures])


def test_images_and_rows_run_together(tmp_path: Path) -> None:
    with runner(tmp_path, max_delay=10) as (opened, sizes):
        futures = [
            opened.submit_image(png("red"), timeout=None),
            *opened.submit_arrays((IMAGES[:2],), timeout=None),
            opened.submit_image(b"none", timeout=None),
            opened.submit_image(png("blue"), timeout=None),
        ]
        assert futures[2].exception() is not None
        del futures[2]
        found = outputs(futures)

    assert sizes == [4]
    assert np.allclose(found, expected(np.stack([colour("red"), *IMAGES[:2], colour("blue")])))


def test_a_graph_of_one_batch_size_gets_full_batches(tmp_path: Path) -> None:
    with runner(tmp_path, **fixed(4)) as (opened, sizes):
        rows = outputs(opened.submit_arrays((IMAGES,), timeout=None))
        image = opened.submit_image(png("green"), timeout=None).result().outputs[0]

    assert set(sizes) == {4}
    assert np.allclose(rows, expected(IMAGES))
    assert np.allclose(image, expected(colour("green")[None]))


def test_a_tensor_model_whose_rows_may_depend_on_each_other_runs_each_request_alone(tmp_path: Path) -> None:
    with runner(tmp_path, task="tensor", labels=None, max_delay=0.1, **fixed(2)) as (opened, sizes):
        futures = [future for i in (0, 2) for future in opened.submit_arrays((IMAGES[i : i + 2],), timeout=None)]
        found = outputs(futures)

    assert sizes == [2, 2]
    assert np.allclose(found, expected(IMAGES[:4]))


def test_a_request_that_does_not_fit_into_the_queue_leaves_nothing_there(tmp_path: Path) -> None:
    with runner(tmp_path, max_delay=0.3, max_items=2) as (opened, sizes):
        with pytest.raises(OverloadedError):
            opened.submit_arrays((np.concatenate([IMAGES, IMAGES]),), timeout=None)
        while opened.waiting:  # what was cancelled goes with the next batch
            threading.Event().wait(0.01)
        (future,) = opened.submit_arrays((IMAGES[:1],), timeout=None)
        assert np.allclose(outputs([future]), expected(IMAGES[:1]))

    assert sizes == [1]


def test_requests_whose_rows_are_joined_run_whole_and_alone(tmp_path: Path) -> None:
    with runner(tmp_path, rows="joined", max_delay=0.1) as (opened, sizes):
        futures = [*opened.submit_arrays((IMAGES,), timeout=None), opened.submit_image(png("red"), timeout=None)]
        found = outputs(futures)

    assert sizes == [10, 1]
    assert np.allclose(found, expected(np.stack([*IMAGES, colour("red")])))


def test_an_image_for_a_graph_of_joined_rows_and_a_fixed_batch_is_refused(tmp_path: Path) -> None:
    with runner(tmp_path, rows="joined", **fixed(4)) as (opened, _):
        with pytest.raises(UsageError, match="the graph takes 4 at once"):
            opened.submit_image(png("red"), timeout=None)
        assert len(outputs(opened.submit_arrays((IMAGES[:4],), timeout=None))) == 4
