"""A gRPC server in this process, on loopback, and a channel to it. `ask` drives both."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

import grpc
import numpy as np
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from numpy.typing import NDArray

from lit_infer.server.grpc import inference_pb2 as pb
from lit_infer.server.grpc.server import create_server
from lit_infer.server.listeners import Listeners, open_listeners
from lit_infer.server.models.repository import Repository
from lit_infer.server.settings import Settings
from lit_infer.server.telemetry.access_log import Access

T = TypeVar("T")
_SERVICES = (
    pb.DESCRIPTOR.services_by_name["GRPCInferenceService"],
    health_pb2.DESCRIPTOR.services_by_name["Health"],
)
_METHODS = {method.name: method for service in _SERVICES for method in service.methods}


class Rig:
    """One server, one channel, one event loop."""

    def __init__(self, repository: Repository, settings: Settings | None = None, **server: Any) -> None:
        self._runner = asyncio.Runner()
        self.logged: list[Access] = []
        self.listeners: Listeners = server.pop("listeners", None) or open_listeners("127.0.0.1", 0, 0)
        self.settings = settings or Settings()
        self.credentials: grpc.ChannelCredentials | None = server.pop("credentials", None)
        made = create_server(repository, self.settings, self.listeners, access=self.logged.append, **server)
        self.server = made
        self.run(made.start())
        self.channel = self.run(self._open())

    async def _open(self) -> Any:
        where = self.listeners.grpc_address
        if self.credentials is not None:
            return grpc.aio.secure_channel(where, self.credentials)
        return grpc.aio.insecure_channel(where)

    def run(self, story: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine; the server lives as long as it runs."""

        async def bounded() -> T:
            async with asyncio.timeout(30):
                return await story

        return self._runner.run(bounded())

    def start(self, method: str, request: Any, **how: Any) -> Any:
        """Begin a call; to be used in the loop. `request`: a message, raw bytes, or an iterator for a stream."""
        found = _METHODS[method]
        path = f"/{found.containing_service.full_name}/{method}"
        kinds = {(False, False): "unary_unary", (False, True): "unary_stream", (True, True): "stream_stream"}
        streams = (found.client_streaming, found.server_streaming)
        answer = found.output_type._concrete_class.FromString
        return getattr(self.channel, kinds[streams])(path, _raw, answer)(request, **how)

    def ask(self, method: str, request: Any, **how: Any) -> Any:
        """What a call answers. Raises grpc.aio.AioRpcError."""

        async def story() -> Any:
            return await self.start(method, request, **how)

        return self.run(story())

    def asks(self, method: str, requests: Iterable[Any], **how: Any) -> list[Any]:
        """What several calls answer that are made at once, or their errors."""

        async def story() -> list[Any]:
            calls = [self.start(method, request, **how) for request in requests]
            return await asyncio.gather(*calls, return_exceptions=True)

        return self.run(story())

    def refused(self, method: str, request: Any, **how: Any) -> grpc.aio.AioRpcError:
        """The error that a call ends with."""
        try:
            answer = self.ask(method, request, **how)
        except grpc.aio.AioRpcError as error:
            return error
        raise AssertionError(f"it answered {answer}")

    def close(self) -> None:
        self.run(self.channel.close())
        self.run(self.server.stop(0))
        for sock in (self.listeners.http, self.listeners.grpc):
            if sock is not None:
                sock.close()
        self._runner.close()


def _raw(request: Message | bytes) -> bytes:
    return request if isinstance(request, bytes) else request.SerializeToString()


def asked(images: NDArray[np.uint8], **fields: Any) -> pb.ModelInferRequest:
    """A request with prepared images, raw."""
    request = pb.ModelInferRequest(**{"model_name": "colours", **fields})
    request.inputs.add(name="images", datatype="UINT8", shape=images.shape)
    request.raw_input_contents.append(images.tobytes())
    return request


def probabilities(answer: pb.ModelInferResponse) -> NDArray[np.float32]:
    """The answer's one output."""
    (output,), (raw,) = answer.outputs, answer.raw_output_contents
    assert (output.name, output.datatype) == ("probabilities", "FP32")
    return np.frombuffer(raw, np.float32).reshape(output.shape)


async def until(condition: Callable[[], bool]) -> None:
    """Poll, in the loop."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)
