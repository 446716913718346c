"""The methods of inference.GRPCInferenceService. Thin: find the model, call another module, send the result."""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable

from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from lit_infer.server.grpc import inference_pb2 as pb
from lit_infer.server.grpc import messages, stream
from lit_infer.server.grpc.call import Call
from lit_infer.server.grpc.calls import Calls, Handler, Request
from lit_infer.server.grpc.gathering import Gate
from lit_infer.server.models import control
from lit_infer.server.models.inference import answer, counted, infer
from lit_infer.server.models.metrics import Metrics
from lit_infer.server.models.opening import Served
from lit_infer.server.models.repository import Repository
from lit_infer.server.oip import describe
from lit_infer.server.results import InferRequest, Result

SERVICE = "inference.GRPCInferenceService"

_LARGE, _MANY = 256 * 1024, 50_000
"""Requests with more bytes of typed contents, and answers that classify more numbers, are handled in a thread."""
_SOON_S = 1e-3


class Service:
    """The methods over one repository."""

    def __init__(self, repository: Repository, calls: Calls, metrics: Metrics) -> None:
        self._repository = repository
        self._settings = calls.settings
        self._calls = calls
        self._metrics = metrics
        self._gate = Gate()

    def handlers(self) -> dict[str, Handler]:
        """The handlers by method."""
        talk = functools.partial(stream.answer, self._calls, self.infer)
        return {
            "ServerLive": self._unary("ServerLive", pb.ServerLiveRequest, self.live, is_open=True),
            "ServerReady": self._unary("ServerReady", pb.ServerReadyRequest, self.ready, is_open=True),
            "ModelReady": self._unary("ModelReady", pb.ModelReadyRequest, self.model_ready),
            "ServerMetadata": self._unary("ServerMetadata", pb.ServerMetadataRequest, self.server),
            "ModelMetadata": self._unary("ModelMetadata", pb.ModelMetadataRequest, self.metadata),
            "ModelInfer": self._unary("ModelInfer", pb.ModelInferRequest, self.infer),
            "ModelStreamInfer": self._calls.stream(f"/{SERVICE}/ModelStreamInfer", talk),
            "ModelConfig": self._unary("ModelConfig", pb.ModelConfigRequest, self.config),
            "ModelStatistics": self._unary("ModelStatistics", pb.ModelStatisticsRequest, self.statistics),
            "RepositoryIndex": self._unary("RepositoryIndex", pb.RepositoryIndexRequest, self.index),
            "RepositoryModelLoad": self._unary("RepositoryModelLoad", pb.RepositoryModelLoadRequest, self.load),
            "RepositoryModelUnload": self._unary("RepositoryModelUnload", pb.RepositoryModelUnloadRequest, self.unload),
        }

    def _unary(
        self,
        name: str,
        kind: type[Request],
        answer: Callable[[Request, Call], Awaitable[Message]],
        *,
        is_open: bool = False,
    ) -> Handler:
        return self._calls.unary(f"/{SERVICE}/{name}", kind, answer, is_open=is_open)

    async def live(self, _: pb.ServerLiveRequest, __: Call) -> pb.ServerLiveResponse:
        """Whether the process is alive."""
        return pb.ServerLiveResponse(live=True)

    async def ready(self, _: pb.ServerReadyRequest, __: Call) -> pb.ServerReadyResponse:
        """Whether every model is ready."""
        return pb.ServerReadyResponse(ready=self._repository.is_ready())

    async def model_ready(self, request: pb.ModelReadyRequest, _: Call) -> pb.ModelReadyResponse:
        """Whether a model answers."""
        slot = self._repository.find(request.name, request.version)
        return pb.ModelReadyResponse(ready=slot.is_ready)

    async def server(self, _: pb.ServerMetadataRequest, __: Call) -> pb.ServerMetadataResponse:
        """The server's metadata."""
        return ParseDict(describe.server(), pb.ServerMetadataResponse())

    async def metadata(self, request: pb.ModelMetadataRequest, _: Call) -> pb.ModelMetadataResponse:
        """A model's metadata."""
        with self._repository.held(request.name, request.version) as served:
            versions = [slot.version for slot in self._repository.slots if slot.name == served.name]
            return ParseDict(describe.metadata(served, versions, request.name), pb.ModelMetadataResponse())

    async def config(self, request: pb.ModelConfigRequest, _: Call) -> pb.ModelConfigResponse:
        """A model's configuration."""
        with self._repository.held(request.name, request.version) as served:
            return ParseDict({"config": describe.config(served, request.name)}, pb.ModelConfigResponse())

    async def statistics(self, request: pb.ModelStatisticsRequest, _: Call) -> pb.ModelStatisticsResponse:
        """The statistics of one model or of all."""
        found = describe.all_statistics(self._repository, request.name, request.version)
        return ParseDict({"model_stats": found}, pb.ModelStatisticsResponse())

    async def index(self, request: pb.RepositoryIndexRequest, _: Call) -> pb.RepositoryIndexResponse:
        """All models and their states."""
        models = describe.index(self._repository, ready_only=request.ready)
        return ParseDict({"models": models}, pb.RepositoryIndexResponse())

    async def load(self, request: pb.RepositoryModelLoadRequest, _: Call) -> pb.RepositoryModelLoadResponse:
        """Open a model."""
        await control.load(self._repository, self._settings, request.model_name, request.parameters)
        return pb.RepositoryModelLoadResponse()

    async def unload(self, request: pb.RepositoryModelUnloadRequest, _: Call) -> pb.RepositoryModelUnloadResponse:
        """Close a model."""
        await control.unload(self._repository, self._settings, request.model_name)
        return pb.RepositoryModelUnloadResponse()

    async def infer(self, request: pb.ModelInferRequest, call: Call) -> pb.ModelInferResponse:
        """Run a model."""
        await self._gate.passed()
        ask = functools.partial(self._infer, request, call)
        return await answer(self._repository, request.model_name, request.model_version, ask)

    async def _infer(self, request: pb.ModelInferRequest, call: Call, served: Served) -> pb.ModelInferResponse:
        call.model = f"{served.name}/{served.version}"
        with counted(served.stats, call.span) as succeeded:
            asked = await _fitted(request, served)
            result = await infer(served, asked.items, timeout=self._time_left(call), gone=None)
            started = time.perf_counter()
            response = await _response(asked, result, served)
            succeeded(result, time.perf_counter() - started)
        seconds = time.perf_counter() - call.started
        self._metrics.answered(served.name, served.version, seconds=seconds, rows=result.rows)
        return response

    def _time_left(self, call: Call) -> float:
        """The server's limit, or the client's deadline if that is sooner."""
        left: float | None = call.context.time_remaining()
        return self._settings.timeout if left is None else min(self._settings.timeout, max(left, _SOON_S))


async def _fitted(request: pb.ModelInferRequest, served: Served) -> InferRequest:
    fields = served.fields if served.manifest.spec.has_text else None
    if request.raw_input_contents or request.ByteSize() <= _LARGE:
        return messages.fitted(request, served.manifest, fields)
    return await asyncio.to_thread(messages.fitted, request, served.manifest, fields)


async def _response(asked: InferRequest, result: Result, served: Served) -> pb.ModelInferResponse:
    if any(wanted.classes for wanted in asked.wanted) and sum(output.size for output in result.outputs) > _MANY:
        return await asyncio.to_thread(messages.response, asked, result.outputs, served)
    return messages.response(asked, result.outputs, served)
