"""`POST /predict`: an image in, the prediction out. For people and small scripts.

curl --data-binary @cat.jpg localhost:8000/predict
"""

import functools
import time

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lit_infer.errors import UsageError
from lit_infer.predictions import Choice, top_choices
from lit_infer.server.http import bodies
from lit_infer.server.http.rest import Endpoint, Rest, json_response
from lit_infer.server.models.inference import answer, counted, infer
from lit_infer.server.models.opening import Served
from lit_infer.server.results import InferRequest, Result

_MOST_CLASSES = 10_000


class PredictRoute:
    """The predict route, over the same service as the protocol's routes."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def routes(self) -> list[Route]:
        """The only route."""
        return [Route("/predict", Endpoint(self.predict), methods=["POST"])]

    async def predict(self, request: Request) -> Response:
        """Classify the image in the body; `?model=NAME&version=V&top_k=K`."""
        rest, query = self._rest, request.query_params
        top_k = _top_k(query.get("top_k", "5"))
        name = query.get("model") or rest.repository.slots[0].name
        image = await bodies.read(request.scope, request.receive, limit=rest.settings.max_body)
        ask = functools.partial(self._predict, request, image, top_k)
        return await answer(rest.repository, name, query.get("version"), ask)

    async def _predict(self, request: Request, image: bytes, top_k: int, served: Served) -> Response:
        exchange = request.scope["lit"]
        exchange.model = f"{served.name}/{served.version}"
        with counted(served.stats, exchange.span) as succeeded:
            if served.manifest.task == "tensor":
                raise UsageError(f"{served.name} takes tensors, not images: POST /v2/models/{served.name}/infer")
            asked = InferRequest("", (image,), (), (), None)
            result = await infer(served, asked, timeout=self._rest.settings.timeout, gone=request.receive)
            started = time.perf_counter()
            response = json_response(_described(served, result, top_k, exchange.started))
            succeeded(result, time.perf_counter() - started)
        self._rest.observe(request, served, result)
        return response


def _top_k(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= _MOST_CLASSES and len(text) < 9):
        raise UsageError(f"top_k must be a number from 1 to {_MOST_CLASSES:,}, not {text[:30]!r}")
    return int(text)


class _Ms(msgspec.Struct):
    """Milliseconds."""

    queue: float
    prepare: float
    infer: float
    total: float


class _Class(msgspec.Struct):
    label: str
    index: int
    score: float
    top: tuple[Choice, ...]
    model: str
    version: str
    ms: _Ms


class _Embedding(msgspec.Struct):
    embedding: list[float]
    model: str
    version: str
    ms: _Ms


def _described(served: Served, result: Result, top_k: int, started: float) -> _Class | _Embedding:
    row, model, version = result.outputs[0][0], served.name, served.version
    top: tuple[Choice, ...] = ()
    if served.manifest.task == "image-classification":
        top = top_choices(row, labels=served.manifest.labels, top_k=top_k)
    total = time.perf_counter() - started
    ms = _Ms(*(round(s * 1e3, 3) for s in (result.queue, result.compute_input, result.compute_infer, total)))
    if top:
        best = top[0]
        return _Class(best.label, best.index, best.score, top, model, version, ms)
    return _Embedding(row.tolist(), model, version, ms)
