"""Captured graphs of torch modules, with a stand-in for `torch.cuda`: real torch computes on the CPU."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lit_infer.engines import cuda_graphs
from lit_infer.engines.cuda_graphs import EAGER_CALLS, MOST_GRAPHS, runner


class Card:
    """A card for one module: what is called within a capture is computed again, into the same memory, at a replay."""

    def __init__(self, module: Any) -> None:
        self.module, self.capturing, self.calls, self.replays, self.captures = module, False, 0, 0, 0
        self.replayed: Any = module
        """What a replay computes, which a test may change."""

    def __call__(self, *inputs: Tensor) -> Any:
        self.calls += 1
        outputs = self.module(*inputs)
        if self.capturing:
            self.noted = inputs, outputs
        return outputs

    def torch(self) -> Any:
        """As much of torch as the runner uses."""
        cuda = SimpleNamespace(
            Stream=lambda _: SimpleNamespace(synchronize=lambda: None),
            CUDAGraph=lambda: SimpleNamespace(replay=None),
            graph_pool_handle=lambda: None,
            device=lambda _: nullcontext(),
            stream=lambda _: nullcontext(),
            synchronize=lambda _: None,
            graph=self._graph,
        )
        return SimpleNamespace(
            cuda=cuda,
            inference_mode=torch.inference_mode,
            as_tensor=torch.as_tensor,
            empty=lambda shape, dtype, pin_memory: torch.empty(shape, dtype=dtype),  # noqa: ARG005
        )

    @contextmanager
    def _graph(self, graph: Any, **_: Any) -> Iterator[None]:
        self.capturing = True
        try:
            yield
        finally:
            self.capturing = False
        inputs, outputs = self.noted
        self.captures += 1

        def replay() -> None:
            self.replays += 1
            again = self.replayed(*inputs)
            for kept, made in zip(_tuple(outputs), _tuple(again), strict=True):
                kept.copy_(made)

        graph.replay = replay


def _tuple(outputs: Any) -> tuple[Tensor, ...]:
    return tuple(outputs) if isinstance(outputs, tuple | list) else (outputs,)


def batch(count: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)


def run_on(card: Card) -> Any:
    return runner(card.torch(), card, torch.device("cpu"))


def means(images: Tensor) -> tuple[Tensor, Tensor]:
    return images.float().mean((1, 2)), images.amax((1, 2, 3))


def test_a_shape_that_returns_is_captured_and_replayed_with_other_values() -> None:
    card = Card(means)
    run = run_on(card)

    for seed in range(EAGER_CALLS + 4):
        given = batch(3, seed)
        found = run([given])
        np.testing.assert_allclose(found[0], given.mean((1, 2)), rtol=1e-5)
        assert found[1].tolist() == given.max((1, 2, 3)).tolist()

    assert card.captures == 1
    assert card.calls == EAGER_CALLS + 1
    assert card.replays == 1 + 4


def test_answers_stay_as_they_are_when_the_next_batch_comes() -> None:
    run = run_on(Card(means))
    for _ in range(EAGER_CALLS):
        run([batch(2)])

    first = run([batch(2, 1)])[0]
    kept = first.copy()
    run([batch(2, 2)])

    assert np.array_equal(first, kept)


def test_each_number_of_rows_has_a_graph_of_its_own_so_nothing_is_filled_up() -> None:
    card = Card(lambda images: images.float() - images.float().mean(0))
    run = run_on(card)

    for count in (1, 4, 7) * (EAGER_CALLS + 2):
        given = batch(count, count)
        np.testing.assert_allclose(run([given])[0], given - given.mean(0), atol=1e-3)

    assert card.captures == 3


@pytest.mark.parametrize("given", [batch(2)[::-1], np.zeros((0, 4, 4, 3), np.uint8)])
def test_strided_and_empty_batches_are_answered(given: Any) -> None:
    run = run_on(Card(lambda images: images.float() + 1))

    for _ in range(EAGER_CALLS + 2):
        np.testing.assert_array_equal(run([given])[0], given.astype(np.float32) + 1)


def test_a_module_that_cannot_be_captured_is_run_eagerly_for_good() -> None:
    def waits(images: Tensor) -> Tensor:
        if card.capturing:
            raise RuntimeError("operation not permitted when stream is capturing")
        return images.float()

    card = Card(waits)
    run = run_on(card)

    for seed in range(EAGER_CALLS + 3):
        np.testing.assert_array_equal(run([batch(2, seed)])[0], batch(2, seed))

    assert (card.captures, card.replays) == (0, 0)


def test_a_graph_that_answers_otherwise_than_the_module_is_never_used() -> None:
    card = Card(lambda images: images.float())
    card.replayed = lambda images: images.float() + 1
    run = run_on(card)

    for seed in range(EAGER_CALLS + 3):
        np.testing.assert_array_equal(run([batch(2, seed)])[0], batch(2, seed))

    assert (card.captures, card.replays) == (1, 1)


def test_graphs_and_what_is_remembered_of_shapes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_graphs, "EAGER_CALLS", 1)
    card = Card(means)
    run = run_on(card)

    for count in range(1, MOST_GRAPHS + 3):
        run([batch(count)])
    captured = card.captures
    run([batch(MOST_GRAPHS + 2)])
    run([batch(1)])

    assert captured == MOST_GRAPHS + 2
    assert card.captures == captured + 1  # the first was given up
