"""The REST routes of the Open Inference Protocol v2. Thin: find the model, call another module, send the result."""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from lit_infer.errors import UsageError
from lit_infer.server.errors import UnsupportedError
from lit_infer.server.http import bodies
from lit_infer.server.http.openapi import document
from lit_infer.server.models import control
from lit_infer.server.models.inference import answer, counted, infer
from lit_infer.server.models.metrics import CONTENT_TYPE, Metrics
from lit_infer.server.models.opening import Served
from lit_infer.server.models.repository import Repository
from lit_infer.server.oip import answers, describe, protocol
from lit_infer.server.results import InferRequest, Result
from lit_infer.server.settings import Settings

T = TypeVar("T")

_HEADER_LENGTH = b"inference-header-content-length"
LARGE, _MANY = 256 * 1024, 50_000
"""Requests with more bytes of JSON, and answers with more numbers, are handled in a thread: others must not wait."""


def json_response(content: Any, status: int = 200) -> Response:
    """Content as JSON."""
    return Response(msgspec.json.encode(content), status, media_type="application/json")


class Endpoint:
    """An ASGI endpoint for a busy route: what Starlette makes of a function, less two layers of exception handlers.

    `Edge` handles exceptions.
    """

    def __init__(self, respond: Callable[[Request], Awaitable[Response]]) -> None:
        self._respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)


class Rest:
    """The routes over one repository."""

    def __init__(self, repository: Repository, settings: Settings, metrics: Metrics) -> None:
        self.repository = repository
        self.settings = settings
        self.metrics = metrics
        self._document = functools.cache(lambda: msgspec.json.encode(document(settings)))
        """The OpenAPI document, written once: a flood of requests for it is cheap."""

    def routes(self) -> list[Route]:
        """The busiest first."""
        control = "/v2/repository/models/{name}"
        return [
            *self._model_routes("/infer", Endpoint(self.infer), "POST"),
            Route("/v2/health/live", self.live),
            Route("/v2/health/ready", self.ready),
            Route("/v2", self.server),
            Route("/v2/models", self.models),
            Route("/v2/models/stats", self.all_stats),
            *self._model_routes("", self.metadata),
            *self._model_routes("/ready", self.model_ready),
            *self._model_routes("/config", self.config),
            *self._model_routes("/stats", self.stats),
            *self._image_routes(),
            Route("/v2/repository/index", self.index, methods=["POST"]),
            Route(f"{control}/load", self.load, methods=["POST"]),
            Route(f"{control}/unload", self.unload, methods=["POST"]),
            *(Route(path, self.unsupported, methods=["GET", "POST"]) for path in _UNSUPPORTED),
            Route("/metrics", self.metrics_text),
            Route("/openapi.json", self.openapi),
        ]

    def _model_routes(self, suffix: str, endpoint: Any, method: str = "GET", *, kind: str = "") -> list[Route]:
        return [
            Route(f"/v2/models/{{name}}{kind}{version}{suffix}", endpoint, methods=[method])
            for version in ("", "/versions/{version}")
        ]

    def _image_routes(self) -> list[Route]:
        """The same models, described as taking encoded images."""
        routes: list[tuple[str, Any, str]] = [("", self.metadata, "GET"), ("/ready", self.model_ready, "GET")]
        routes += [("/config", self.config, "GET"), ("/stats", self.stats, "GET")]
        routes += [("/infer", Endpoint(self.infer), "POST")]
        return [
            route
            for suffix, endpoint, method in routes
            for route in self._model_routes(suffix, endpoint, method, kind=describe.IMAGES)
        ]

    async def live(self, _: Request) -> Response:
        """Whether the process is alive."""
        return json_response({"live": True})

    async def ready(self, _: Request) -> Response:
        """Whether every model is ready."""
        is_ready = self.repository.is_ready()
        return json_response({"ready": is_ready}, 200 if is_ready else 503)

    async def server(self, _: Request) -> Response:
        """The server's metadata."""
        return json_response(describe.server())

    async def models(self, _: Request) -> Response:
        """The models' names."""
        return json_response({"models": self.repository.names()})

    async def metadata(self, request: Request) -> Response:
        """A model's metadata."""
        with self.repository.held(*_named(request)) as served:
            versions = [slot.version for slot in self.repository.slots if slot.name == served.name]
            return json_response(describe.metadata(served, versions, _named(request)[0]))

    async def model_ready(self, request: Request) -> Response:
        """Whether a model answers."""
        slot = self.repository.find(*_named(request))
        is_ready = slot.is_ready
        return json_response({"name": slot.name, "ready": is_ready}, 200 if is_ready else 503)

    async def config(self, request: Request) -> Response:
        """A model's configuration."""
        with self.repository.held(*_named(request)) as served:
            return json_response(describe.config(served, _named(request)[0]))

    async def stats(self, request: Request) -> Response:
        """A model's statistics; without a version, those of all its versions."""
        return json_response({"model_stats": describe.all_statistics(self.repository, *_named(request))})

    async def all_stats(self, _: Request) -> Response:
        """The statistics of all models."""
        return json_response({"model_stats": describe.all_statistics(self.repository)})

    async def index(self, request: Request) -> Response:
        """All models and their states."""
        asked = await self._read(request, _IndexJson)
        return json_response(describe.index(self.repository, ready_only=asked.ready))

    async def load(self, request: Request) -> Response:
        """Open a model."""
        asked = await self._read(request, _ControlJson)
        await control.load(self.repository, self.settings, request.path_params["name"], asked.parameters)
        return json_response({})

    async def unload(self, request: Request) -> Response:
        """Close a model."""
        await self._read(request, _ControlJson)
        await control.unload(self.repository, self.settings, request.path_params["name"])
        return json_response({})

    async def unsupported(self, request: Request) -> Response:
        """An extension of the protocol that this server does not implement."""
        raise UnsupportedError(f"{request.url.path} is not supported by this server")

    async def metrics_text(self, _: Request) -> Response:
        """Metrics for Prometheus."""
        return Response(self.metrics.text(self.repository.slots), headers={"content-type": CONTENT_TYPE})

    async def openapi(self, _: Request) -> Response:
        """The OpenAPI document."""
        return Response(self._document(), media_type="application/json")

    async def infer(self, request: Request) -> Response:
        """Run a model."""
        name, version = _named(request)
        body = await bodies.read(request.scope, request.receive, limit=self.settings.max_body)
        return await answer(self.repository, name, version, functools.partial(self._infer, request, body))

    async def _infer(self, request: Request, body: bytes, served: Served) -> Response:
        exchange = request.scope["lit"]
        exchange.model = f"{served.name}/{served.version}"
        with counted(served.stats, exchange.span) as succeeded:
            header_length = _header_length(request)
            asked = await _parsed(body, header_length, served)
            result = await infer(served, asked.items, timeout=self.settings.timeout, gone=request.receive)
            started = time.perf_counter()
            response = await _response(asked, result, served)
            succeeded(result, time.perf_counter() - started)
        self.observe(request, served, result)
        return response

    def observe(self, request: Request, served: Served, result: Result) -> None:
        """Count an answered request in the histograms."""
        seconds = time.perf_counter() - request.scope["lit"].started
        self.metrics.answered(served.name, served.version, seconds=seconds, rows=result.rows)

    async def _read(self, request: Request, kind: type[T]) -> T:
        """Read a small JSON object; an empty body counts as an empty object."""
        body = await bodies.read(request.scope, request.receive, limit=self.settings.max_body)
        try:
            return msgspec.json.decode(body.strip() or b"{}", type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UsageError(f"the body does not fit this route: {error}") from None


class _IndexJson(msgspec.Struct, frozen=True):
    ready: bool = False


class _ControlJson(msgspec.Struct, frozen=True):
    parameters: dict[str, Any] = {}


_UNSUPPORTED = (
    "/v2/logging",
    "/v2/trace/setting",
    "/v2/models/{name}/trace/setting",
    "/v2/systemsharedmemory/{rest:path}",
    "/v2/cudasharedmemory/{rest:path}",
)


def _named(request: Request) -> tuple[str, str | None]:
    name = request.path_params["name"]
    is_for_images = request.scope["path"].startswith(f"/v2/models/{name}{describe.IMAGES}")
    return name + (describe.IMAGES if is_for_images else ""), request.path_params.get("version")


def _header_length(request: Request) -> int | None:
    values = [value for name, value in request.scope["headers"] if name == _HEADER_LENGTH]
    if not values:
        return None
    if len(values) > 1 or not values[0].isdigit() or len(values[0]) > 12:
        raise UsageError("Inference-Header-Content-Length must be a number of bytes, sent once")
    return int(values[0])


async def _parsed(body: bytes, header_length: int | None, served: Served) -> InferRequest:
    fields = served.fields if served.manifest.spec.has_text else None
    parse = functools.partial(
        protocol.parse, body, header_length=header_length, manifest=served.manifest, fields=fields
    )
    return (
        parse() if (len(body) if header_length is None else header_length) <= LARGE else await asyncio.to_thread(parse)
    )


async def _response(asked: InferRequest, result: Result, served: Served) -> Response:
    make = functools.partial(
        answers.response,
        asked,
        result.outputs,
        manifest=served.manifest,
        name=served.name,
        version=served.version,
    )
    if sum(output.size for output in result.outputs) <= _MANY:
        parts, length = make()
    else:
        parts, length = await asyncio.to_thread(make)
    if length is None:
        return Response(parts[0], media_type="application/json")
    headers = {"inference-header-content-length": str(length)}
    return Response(b"".join(parts), media_type="application/octet-stream", headers=headers)
