"""A model on a server, as the subject of a measurement."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np

from lit_infer.bench.callers import Caller, Callers
from lit_infer.bench.rows import SERVER, Unit
from lit_infer.bench.served.client import Client, Connection, ModelInfo, RequestInputs, ServerInfo, ServerReply
from lit_infer.bench.served.samples import Samples
from lit_infer.bench.served.target import ServedTarget
from lit_infer.bench.target import LoadTarget
from lit_infer.errors import EngineError, UsageError

_STORED = ("UINT8", "UINT16")


@dataclass(frozen=True)
class ServedModel:
    """One model of one server by one protocol, and the samples to send it."""

    name: str
    """http or grpc; with the port if there are several servers with one protocol."""
    client: Client
    server: ServerInfo
    info: ModelInfo
    """For one version, which all requests ask for."""
    samples: Samples
    _packed: dict[int, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def engine(self) -> str:
        """What runs it, as the server says."""
        return self.info.platform or self.server.name

    @property
    def device(self) -> str:
        """Unknown to the client."""
        return SERVER

    @property
    def threads(self) -> int:
        """Unknown to the client."""
        return 0

    @property
    def decoded(self) -> bool:
        """Whether image files are sent."""
        return not self.samples.is_kept

    @property
    def unit(self) -> Unit:
        """Images where it takes pixels as they are stored, or files; what else is a row."""
        (first, *others) = self.info.inputs
        is_pixels = first.datatype in _STORED and len(first.shape) == 4 and not others
        return "images" if is_pixels or not self.samples.is_kept else "rows"

    @property
    def fixed_batch(self) -> int | None:
        """The only number of prepared rows that the model takes; None: any. Images are batched by the server."""
        shape = self.info.inputs[0].shape
        return shape[0] if self.samples.is_kept and shape and shape[0] > 0 else None

    def one(self, batch_size: int) -> Callers:
        """One connection, a batch per request."""
        connection = self.client.connect()
        return Callers([self._caller(connection, batch_size, 0)], batch_size, "call", connection.close)

    def many(self, count: int, *, max_batch: int | None = None) -> Callers:  # noqa: ARG002 - that is the server's
        """A connection each, one image per request."""
        self._check_takes_one()
        connections = [self.client.connect() for _ in range(count)]
        each = [self._caller(connection, 1, first) for first, connection in enumerate(connections)]
        return Callers(each, 1, "submit", lambda: _close(connections))

    def floor(self, count: int) -> Callers:
        """Like `many`, but only asking whether the server is alive: the cost of client and network."""
        connections = [self.client.connect() for _ in range(count)]
        each = [Caller(one.live, lambda _: (), one.wake) for one in connections]
        return Callers(each, 1, "submit", lambda: _close(connections))

    @contextmanager
    def target(self) -> Iterator[LoadTarget]:
        """What a load generator drives, with connections of its own."""
        self._check_takes_one()
        target = ServedTarget(self)
        try:
            yield target
        finally:
            target.close()

    def sizes(self, wanted: Sequence[int]) -> tuple[list[int], str]:
        """Which batches fit into one request, and why the others do not; for a graph with one batch size, that size."""
        if self.fixed_batch:
            return [self.fixed_batch], f"it takes batches of {self.fixed_batch} only"
        why = ""
        for most in sorted(wanted, reverse=True):
            try:
                self.ask(self.samples.rows(self.samples.largest(most)), most)
            except UsageError as error:  # a single image was accepted, so it is the size that is refused
                why = str(error)
                continue
            return [size for size in wanted if size <= most], why
        return [], why

    def ask(self, rows: RequestInputs, count: int) -> ServerReply:
        """One request that is not measured."""
        connection = self.client.connect()
        try:
            return self.check(connection.infer(self.client.pack(self.info, rows)), count)
        finally:
            connection.close()

    def packed(self, indices: Sequence[int]) -> Any:
        """The request for these samples. Requests with a single prepared row are packed only once."""
        if len(indices) != 1 or not self.samples.is_kept:
            return self.client.pack(self.info, self.samples.rows(indices))
        index = indices[0] % self.samples.count
        if index not in self._packed:
            self._packed[index] = self.client.pack(self.info, self.samples.rows([index]))
        return self._packed[index]

    def check(self, answer: Any, rows: int) -> ServerReply:
        """The answer, checked: a wrong one may be quicker than a right one. Raises EngineError for a wrong one."""
        reply = self.client.unpack(answer)
        if self.info.version not in ("", reply.version):
            raise EngineError(f"{self}: version {reply.version} answers for it now. Measure again")
        if reply.outputs.keys() != {tensor.name for tensor in self.info.outputs}:
            raise EngineError(f"{self} answered {', '.join(reply.outputs) or 'nothing'}: its metadata says otherwise")
        for tensor in self.info.outputs:
            array = reply.outputs[tensor.name]
            if not self._fits(array.shape, tensor.shape, rows):
                shape = f"{list(array.shape)} to {rows} rows"
                raise EngineError(f"{self} answered {tensor.name} {shape}; its metadata says {list(tensor.shape)}")
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise EngineError(f"{self} answered NaN or infinity in {tensor.name}")
        return reply

    def __str__(self) -> str:
        version = f" version {self.info.version}" if self.info.version else ""
        return f"{self.client.address}: {self.info.name}{version}"

    def _fits(self, have: Sequence[int], said: Sequence[int], rows: int) -> bool:
        is_batched = self.info.max_batch != 0
        sides = [rows, *said[1:]] if is_batched and said else said
        return len(have) == len(sides) and all(want in (-1, side) for side, want in zip(have, sides, strict=True))

    def _caller(self, connection: Connection, batch_size: int, first: int) -> Caller:
        request = self._requests(batch_size, first)

        def check(answer: Any) -> tuple[()]:
            self.check(answer, batch_size)
            return ()

        return Caller(lambda: connection.infer(request()), check, connection.wake)

    def _requests(self, batch_size: int, first: int) -> Callable[[], Any]:
        """A function that gives the next request: always the same prepared batch, or one with the next samples."""
        if self.samples.is_kept and batch_size > 1:
            packed = self.packed(range(batch_size))
            return lambda: packed
        starts = count(first * batch_size, batch_size)

        def following() -> Any:
            start = next(starts)
            return self.packed(range(start, start + batch_size))

        return following

    def _check_takes_one(self) -> None:
        if self.fixed_batch not in (None, 1):
            raise UsageError(
                f"{self} takes batches of {self.fixed_batch}; callers and scenarios ask for single images. "
                "Give image files, which the server batches: --from"
            )


def _close(connections: Sequence[Connection]) -> None:
    for connection in connections:
        connection.close()
