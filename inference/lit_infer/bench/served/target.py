"""What a load generator drives over the network."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from lit_infer.batching import streaming
from lit_infer.bench.served.client import Connection
from lit_infer.bench.target import Done, rate_of
from lit_infer.errors import OverloadedError

if TYPE_CHECKING:
    from lit_infer.bench.served.model import ServedModel

_MOST_AT_ONCE = 128
"""Requests under way; one more query waits here, and that wait is part of its latency."""
_AHEAD = 15
"""Requests of Offline that are under way besides the one that is waited for: enough to fill the server's batches."""
_ROWS = 8
_ROWS_BYTES = 8 * 2**20


class ServedTarget:
    """A served model and its samples. Threads and connections are made as queries need them, and then kept."""

    def __init__(self, model: "ServedModel") -> None:
        self._model = model
        self.count = model.samples.count
        self._pool = ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="lit-bench")
        self._own = threading.local()
        self._connections: list[Connection] = []

    def answer(self, indices: Sequence[int]) -> None:
        """One request for all of them."""
        connection = self._connection()
        self._model.check(connection.infer(self._model.packed(indices)), len(indices))

    def submit(self, index: int, done: Done) -> None:
        """One request, on a free connection."""
        self._pool.submit(self.answer, [index]).add_done_callback(lambda future: done(_failure(future)))

    def stream(self, indices: Sequence[int]) -> Iterator[OverloadedError | None]:
        """Requests of several rows, on several connections. Files are sent singly: any of them may be large."""
        return self._stream(indices, rows=self._rows())

    def images_per_s(self, seconds: float, *, one_by_one: bool) -> float:
        """The rate of `stream`, or of a stream of single images."""
        stream = partial(self._stream, rows=1) if one_by_one else self.stream
        return rate_of(stream, self.count, seconds=seconds, least=2 * _AHEAD)

    def close(self) -> None:
        """Drop what waits, let the rest be answered, and hang up."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for connection in self._connections:
            connection.close()

    def _stream(self, indices: Sequence[int], *, rows: int) -> Iterator[OverloadedError | None]:
        return streaming.in_order(iter(indices), rows, self._start, _AHEAD)

    def _start(self, indices: Sequence[int]) -> "Future[list[OverloadedError | None]]":
        return self._pool.submit(self._outcomes, indices)

    def _outcomes(self, indices: Sequence[int]) -> list[OverloadedError | None]:
        try:
            self.answer(indices)
        except OverloadedError as refusal:
            return [refusal] * len(indices)
        return [None] * len(indices)

    def _rows(self) -> int:
        samples, most = self._model.samples, self._model.info.max_batch
        if not samples.is_kept or most == 0:
            return 1
        return max(1, min(most or _ROWS, _ROWS_BYTES // max(1, samples.row_bytes)))

    def _connection(self) -> Connection:
        """This thread's connection."""
        connection: Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = self._model.client.connect()
            self._connections.append(connection)
        connection.wake()
        return connection


def _failure(future: "Future[None]") -> BaseException | None:
    return None if future.cancelled() else future.exception()
