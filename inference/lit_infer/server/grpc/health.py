"""grpc.health.v1: the state of the server ("" or the protocol's service) and of each model by its name.

The library's own servicer must be notified of every change and accepts any number of watchers; this one asks the
repository and limits them.
"""

import asyncio
from typing import Any

from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from lit_infer.errors import NotFoundError, OverloadedError, UsageError
from lit_infer.server.grpc.call import Call
from lit_infer.server.grpc.calls import Calls, Handler, parsed
from lit_infer.server.models.repository import Repository

SERVICE = "grpc.health.v1.Health"

_LOOK_S = 0.5
_MOST_WATCHERS = 64
"""They need no key, and each occupies one of the calls that a server can handle at once."""


class Health:
    """The two methods of the service."""

    def __init__(self, repository: Repository, calls: Calls, names: frozenset[str]) -> None:
        """`names`: the services that stand for the whole server."""
        self._repository = repository
        self._calls = calls
        self._names = names
        self._watchers = 0

    def handlers(self) -> dict[str, Handler]:
        """The handlers by method."""
        return {
            "Check": self._calls.unary(f"/{SERVICE}/Check", HealthCheckRequest, self.check, is_open=True),
            "Watch": self._calls.stream(f"/{SERVICE}/Watch", self.watch, is_open=True),
        }

    async def check(self, request: HealthCheckRequest, _: Call) -> HealthCheckResponse:
        """The state now. Raises NotFoundError."""
        status = self._status(request.service)
        if status == HealthCheckResponse.SERVICE_UNKNOWN:
            raise NotFoundError(f"there is no service {request.service} here")
        return HealthCheckResponse(status=status)

    async def watch(self, call: Call) -> None:
        """The state now, and again after every change, until the server stops."""
        raw = await self._calls.read(call, within=self._calls.settings.body_timeout)
        if raw is None:
            raise UsageError("Watch takes one message; none was sent")
        service = parsed(HealthCheckRequest, raw).service
        if self._watchers >= _MOST_WATCHERS:
            raise OverloadedError(f"{_MOST_WATCHERS} clients are watching already: try again later")
        self._watchers += 1
        try:
            await self._tell(call, service)
        finally:
            self._watchers -= 1

    async def _tell(self, call: Call, service: str) -> None:
        sent = None
        while not self._calls.is_stopping:
            status = self._status(service)
            if status != sent:
                sent = status
                await self._calls.write(call, HealthCheckResponse(status=status).SerializeToString())
            await asyncio.sleep(_LOOK_S)

    def _status(self, service: str) -> Any:
        repository = self._repository
        if service in self._names:
            is_serving = repository.is_ready()
        elif service in repository.names():
            is_serving = not repository.draining and repository.find(service).is_ready
        else:
            return HealthCheckResponse.SERVICE_UNKNOWN
        return HealthCheckResponse.SERVING if is_serving else HealthCheckResponse.NOT_SERVING
