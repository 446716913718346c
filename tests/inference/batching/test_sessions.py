import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from lit_infer.batching.sessions import Sessions
from lit_infer.engines import OpenGraph
from lit_infer.errors import UsageError


def run(_: Any) -> list[Any]:
    return []


GRAPH = OpenGraph(run=run, engine="none", device="cpu", embedded=None, threads=4)


class Reopening:
    """Opens a graph again, and counts."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, threads: int) -> OpenGraph:
        self.asked.append(threads)
        return replace(GRAPH, run=lambda _: [], threads=threads)


def test_a_graph_is_opened_once_more_when_many_call_it_and_only_then() -> None:
    reopen = Reopening()
    sessions = Sessions(replace(GRAPH, reopen=reopen), threads=4)
    assert sessions.for_one() is run
    assert reopen.asked == []

    assert sessions.for_many() is sessions.for_many() is not run
    assert reopen.asked == [1]


def test_threads_that_come_at_once_open_it_once() -> None:
    reopen, together = Reopening(), threading.Barrier(8)
    sessions = Sessions(replace(GRAPH, reopen=reopen), threads=4)

    def ask(_: int) -> Any:
        together.wait(60)
        return sessions.for_many()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert reopen.asked == [1]


def test_a_graph_that_cannot_be_opened_again_serves_all() -> None:
    sessions = Sessions(GRAPH, threads=4)

    assert sessions.for_one() is sessions.for_many() is run


def test_closing_lets_go_of_the_graph() -> None:
    graph = replace(GRAPH, run=lambda _: [])
    gone, sessions = weakref.ref(graph), Sessions(graph, threads=4)
    del graph
    sessions.close()
    gc.collect()

    assert gone() is None
    with pytest.raises(UsageError, match="closed: load it again"):
        sessions.for_many()
