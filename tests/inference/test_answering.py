"""Batches as the graph sees them; the predictor's own tests hold what comes of them."""

from typing import Any

import numpy as np
import pytest

from lit_infer.answering import answer, held_bytes, prepare, recipe
from lit_infer.batching.sizes import static_batch
from lit_infer.images.limits import DEFAULT_LIMITS
from lit_infer.manifest import Tensor
from lit_infer.predictions import Prediction
from lit_infer.tasks import Ask
from tests.inference.tiny import colour, described, noise

STATIC = (Tensor(name="images", dtype="uint8", shape=(4, 8, 8, 3)),)
SCORES = (Tensor(name="probabilities", dtype="float32", shape=(4, 3)),)


class Graph:
    """Mean colours, as float32 [batch, 3]; remembers what it was given."""

    def __init__(self) -> None:
        self.batches: list[Any] = []

    def __call__(self, arrays: Any) -> list[Any]:
        self.batches.append(arrays[0])
        return [arrays[0].mean((1, 2), dtype=np.float32)]


def ask_for(items: list[Any], graph: Graph, top_k: tuple[int, ...] = (), **changes: Any) -> list[Prediction]:
    to = recipe(described(**changes))
    asks = [Ask(k, False, DEFAULT_LIMITS) for k in top_k or [3] * len(items)]
    return answer(items, [prepare(item, to, DEFAULT_LIMITS) for item in items], asks, to=to, run=graph)


@pytest.mark.parametrize("count", [1, 3, 4, 5, 8, 11])
def test_a_static_batch_is_filled_up_with_zeros_that_answer_to_nobody(count: int) -> None:
    items, graph = [noise(8, 8, seed=number) for number in range(count)], Graph()

    found = ask_for(items, graph, inputs=STATIC, outputs=SCORES)

    assert found == ask_for(items, Graph())
    assert [len(batch) for batch in graph.batches] == [4] * -(-count // 4)
    given = np.concatenate(graph.batches)
    assert np.array_equal(given[:count], np.stack(items))
    assert not given[count:].any()


def test_a_graph_is_not_run_for_items_that_are_all_bad() -> None:
    graph = Graph()

    found = ask_for([b"", b"no image"], graph)

    assert [one.code for one in found] == ["empty", "unknown_format"]
    assert graph.batches == []


def test_neighbours_may_ask_for_different_numbers_of_classes() -> None:
    found = ask_for([colour("red"), b"", colour("blue")], Graph(), top_k=(1, 2, 3))

    assert [len(one.top) for one in found] == [1, 0, 3]


def test_an_array_of_the_right_size_is_given_to_the_graph_as_it_is() -> None:
    item, graph = noise(8, 8), Graph()

    ask_for([item], graph)

    assert np.shares_memory(graph.batches[0], item)


def test_embeddings_do_not_hold_their_batch() -> None:
    first, second = ask_for([colour("red"), colour("blue")], Graph(), task="image-embedding", labels=None)

    assert first.embedding is not None
    assert second.embedding is not None
    assert first.embedding.base is None
    assert (first.embedding.tolist(), second.embedding.tolist()) == ([250, 0, 0], [0, 0, 250])


def test_a_static_batch_is_a_number_in_the_manifest() -> None:
    assert static_batch(described()) is None
    assert static_batch(described(inputs=STATIC, outputs=SCORES)) == 4


def test_what_waits_is_counted_in_bytes() -> None:
    assert [held_bytes(item) for item in (b"123", noise(4, 5), "a/path.png")] == [3, 60, 0]
