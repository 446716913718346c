"""The gRPC server: its address, its limits, start and stop. It runs in the event loop of the HTTP server."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import grpc
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from lit_infer.errors import UsageError
from lit_infer.server.grpc import inference_pb2
from lit_infer.server.grpc.call import Call
from lit_infer.server.grpc.calls import Calls, Handler, parsed
from lit_infer.server.grpc.health import SERVICE as HEALTH
from lit_infer.server.grpc.health import Health
from lit_infer.server.grpc.service import SERVICE, Service
from lit_infer.server.listeners import Listeners, Tls
from lit_infer.server.models.metrics import Metrics
from lit_infer.server.models.repository import Repository
from lit_infer.server.settings import Settings
from lit_infer.server.telemetry.access_log import Access

if TYPE_CHECKING:
    from lit_infer.server.telemetry.tracing import Tracing

_KEEPALIVE_MS, _KEEPALIVE_TIMEOUT_MS = 30_000, 10_000
"""How long a client may be silent before it is pinged, and how long it then has to answer."""
_PINGS_MS = 10_000
"""A client that pings the server more often than this is disconnected."""


def create_server(
    repository: Repository,
    settings: Settings,
    listeners: Listeners,
    *,
    access: Callable[[Access], None] | None = None,
    metrics: Metrics | None = None,
    tracing: "Tracing | None" = None,
) -> "GrpcServer":
    """All services over open models, as `create_app` is over HTTP. The caller closes the repository and tracing."""
    calls = Calls(settings, access=access, tracing=tracing)
    services = {
        SERVICE: Service(repository, calls, metrics or Metrics()).handlers(),
        HEALTH: Health(repository, calls, frozenset({"", SERVICE})).handlers(),
        reflection.SERVICE_NAME: {"ServerReflectionInfo": _reflection(calls)},
    }
    return GrpcServer(services, calls, listeners)


class GrpcServer:
    """Services on an address that is bound already."""

    def __init__(self, services: Mapping[str, dict[str, Handler]], calls: Calls, listeners: Listeners) -> None:
        self._services = services
        self._calls = calls
        self._listeners = listeners
        self._credentials = None if listeners.tls is None else _credentials(listeners.tls)

    async def start(self) -> None:
        """Accept calls. Raises UsageError if another process has taken the address since."""
        settings = self._calls.settings
        server = grpc.aio.server(options=_options(settings), maximum_concurrent_rpcs=settings.max_connections)
        handlers = (grpc.method_handlers_generic_handler(name, made) for name, made in self._services.items())
        server.add_generic_rpc_handlers(tuple(handlers))
        address = self._listeners.grpc_address
        try:
            if self._credentials is None:
                server.add_insecure_port(address)
            else:
                server.add_secure_port(address, self._credentials)
        except RuntimeError:
            raise UsageError(f"cannot listen on {address} for gRPC. --grpc-port 0 picks a free port") from None
        await server.start()
        self._server, self._watch = server, asyncio.create_task(self._calls.deadlines.watch())

    async def stop(self, grace: float) -> None:
        """Accept no more calls, and return when the others are answered; after `grace` seconds they are cancelled."""
        ends = time.monotonic() + grace
        if grace:
            await self._calls.stop(grace)
        await self._server.stop(max(0.0, ends - time.monotonic()))
        self._watch.cancel()


def _options(settings: Settings) -> list[tuple[str, int]]:
    """See include/grpc/impl/channel_arg_names.h of gRPC. Sizes apply after decompression, too."""
    return [
        ("grpc.so_reuseport", 0),  # or two servers could share one port, and its clients, unnoticed
        ("grpc.max_receive_message_length", settings.max_body),
        ("grpc.max_metadata_size", settings.max_header),
        ("grpc.absolute_max_metadata_size", settings.max_header),
        ("grpc.max_allowed_incoming_connections", settings.max_connections),
        ("grpc.max_concurrent_streams", settings.max_connections),
        ("grpc.server_handshake_timeout_ms", int(settings.header_timeout * 1000)),
        ("grpc.max_connection_idle_ms", int(settings.idle_timeout * 1000)),
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", _PINGS_MS),
    ]


def _credentials(tls: Tls) -> grpc.ServerCredentials:
    return grpc.ssl_server_credentials([(tls.key.read_bytes(), tls.certificate.read_bytes())])


def _reflection(calls: Calls) -> Handler:
    """The library's reflection service over ours, whose descriptors are in a pool of their own."""
    pool = inference_pb2.DESCRIPTOR.pool
    for known in (health_pb2, reflection_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
    names = (SERVICE, HEALTH, reflection.SERVICE_NAME)
    servicer = reflection.aio.ReflectionServicer(names, pool=pool)

    async def questions(call: Call) -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
        while (raw := await calls.read_next(call)) is not None:
            yield parsed(reflection_pb2.ServerReflectionRequest, raw)

    async def answer(call: Call) -> None:
        reply: Any  # the type stub does not say that this is a generator
        async for reply in cast("Any", servicer.ServerReflectionInfo(questions(call), call.context)):
            await calls.write(call, reply.SerializeToString())

    return calls.stream(f"/{reflection.SERVICE_NAME}/ServerReflectionInfo", answer)
