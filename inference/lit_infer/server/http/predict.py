"""`POST /predict`: an image or a row in, the prediction out; several in, a list out. For people and small scripts.

curl --data-binary @cat.jpg localhost:8000/predict
curl --json '{"x": [0.1, 0.2]}' localhost:8000/predict
curl -H 'Content-Type: audio/wav' --data-binary @a.wav localhost:8000/predict
"""

import asyncio
import functools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lit_infer import images
from lit_infer.answering import with_way
from lit_infer.errors import InputError, UsageError
from lit_infer.rows.answering import PreparedRows, with_places
from lit_infer.server.http import bodies, queries, row_uploads, uploads
from lit_infer.server.http.rest import LARGE, Endpoint, Rest, json_response
from lit_infer.server.http.v1 import check_finite
from lit_infer.server.models.inference import answer, counted, infer
from lit_infer.server.models.opening import Served
from lit_infer.server.models.tiled import infer_tiles
from lit_infer.server.results import Items, Result
from lit_infer.tasks import MEDIA, Ask, plain_answer

_MOST_CLASSES = 10_000
_PARAMETERS = ("model", "version", "top_k", "threshold")
_LEAST_S = 1e-3
"""For the rest of a request whose time is up: it is refused like any other."""


class PredictRoute:
    """The predict route, over the same service as the protocol's routes."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def routes(self) -> list[Route]:
        """The only route."""
        return [Route("/predict", Endpoint(self.predict), methods=["POST"])]

    async def predict(self, request: Request) -> Response:
        """Answer for the images or rows in the body; `?model=NAME&version=V&top_k=K&threshold=T`."""
        rest, query = self._rest, request.query_params
        queries.check(query, _PARAMETERS)
        wanted = Ask(top_k=_top_k(query.get("top_k", "5")), threshold=_threshold(query.get("threshold")))
        name = query.get("model") or rest.repository.slots[0].name
        body = await bodies.read(request.scope, request.receive, limit=rest.settings.max_body)
        ask = functools.partial(self._predict, request, body, wanted)
        return await answer(rest.repository, name, query.get("version"), ask)

    async def _predict(self, request: Request, body: bytes, wanted: Ask, served: Served) -> Response:
        exchange = request.scope["lit"]
        exchange.model = f"{served.name}/{served.version}"
        with counted(served.stats, exchange.span) as succeeded:
            _check(served, request.query_params)
            served.manifest.spec.check_threshold(wanted.threshold, served.manifest.reading, name=served.name)
            upload = await _uploaded(request.headers.get("content-type", ""), body, served)
            result, answers = await self._asked(request, upload, wanted, served)
            started = time.perf_counter()
            accept = request.headers.get("accept", "")
            response = await _response(served, result, upload, answers, exchange.started, accept)
            succeeded(result, time.perf_counter() - started)
        self._rest.observe(request, served, result)
        return response

    async def _asked(
        self, request: Request, upload: "_Asked", wanted: Ask, served: Served
    ) -> tuple[Result, Callable[[], list[msgspec.Struct]]]:
        """The result, and what reads the answers from it. Parts are run one after the other, within the same time."""
        until, gone = time.perf_counter() + self._rest.settings.timeout, request.receive
        if served.in_tiles is not None:
            (part,), timeout = upload.parts, self._rest.settings.timeout
            found, result = await infer_tiles(
                served, served.in_tiles, part.items.images, wanted, timeout=timeout, gone=gone
            )
            return result, lambda: found
        results = []
        for part in upload.parts:
            left = max(until - time.perf_counter(), _LEAST_S)
            results.append(await infer(served, part.items, timeout=left, gone=gone))
        return _together(results), functools.partial(_answers, served, results, upload, wanted)


def _together(results: Sequence[Result]) -> Result:
    """What a request took, all parts of it."""
    first, *others = results
    if not others:
        return first
    return replace(
        first,
        rows=sum(one.rows for one in results),
        queue=sum(one.queue for one in results),
        compute_input=sum(one.compute_input for one in results),
        compute_infer=sum(one.compute_infer for one in results),
    )


def _top_k(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= _MOST_CLASSES and len(text) < 9):
        raise UsageError(f"top_k must be a number from 1 to {_MOST_CLASSES:,}, not {text[:30]!r}")
    return int(text)


def _threshold(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"threshold is a number, not {text[:30]!r}")
    return number


class _Ms(msgspec.Struct):
    """Milliseconds."""

    queue: float
    prepare: float
    infer: float
    total: float


def _check(served: Served, query: Mapping[str, str]) -> None:
    """Whether the model can give what the query asks for."""
    task = served.manifest.spec
    if not task.takes_images and not served.runner.is_batched:
        raise UsageError(f"{served.name} has no rows of its own: POST whole tensors to /v2/models/{served.name}/infer")
    for name in {"top_k", "threshold"} & set(query):
        if not (task.takes_top_k if name == "top_k" else task.reads_threshold(served.manifest.reading)):
            raise UsageError(f"{name} is for scores of labels; {served.name} ({task.name}) has none: leave it out")


@dataclass(frozen=True)
class _AskedTogether:
    """What is run together."""

    items: Items
    places: Sequence[int]
    """Where its answers are in that of the request."""
    rows: PreparedRows | None = None
    """Of a model of rows, of which one may have become several of the graph's."""


@dataclass(frozen=True)
class _Asked:
    """What a body asks about."""

    parts: Sequence[_AskedTogether]
    count: int
    names: tuple[str, ...]
    is_batch: bool


Answers = Callable[[], list[msgspec.Struct]]


async def _response(
    served: Served, result: Result, upload: _Asked, answers: Answers, started: float, accept: str
) -> Response:
    """The answer as JSON, or its file. One of the size of a photo is made in a thread: others must not wait."""
    respond = functools.partial(_responded, served, result, upload, answers, started, accept)
    return await asyncio.to_thread(respond) if served.manifest.spec.file is not None else respond()


def _responded(
    served: Served, result: Result, upload: _Asked, answers: Answers, started: float, accept: str
) -> Response:
    found, file = answers(), served.manifest.spec.file
    if file is not None and not upload.is_batch and (made := file.encode(found[0])) is not None:
        media = MEDIA[made[0]]
        if media in accept:  # `image/*` would be a browser's, which takes JSON as well
            return Response(made[1], media_type=media)
    return json_response(_described(served, found, result, upload, started))


def _answers(served: Served, results: Sequence[Result], upload: _Asked, wanted: Ask) -> list[msgspec.Struct]:
    """What the task reads from the outputs, in the order of the request."""
    found: dict[int, msgspec.Struct] = {}
    for result, part in zip(results, upload.parts, strict=True):
        found.update(zip(part.places, _of_part(served, result, part, wanted), strict=True))
    return [found[place] for place in range(upload.count)]


def _of_part(served: Served, result: Result, part: _AskedTogether, wanted: Ask) -> list[msgspec.Struct]:
    """Of what was run together. Raises InputError for an image that has no answer."""
    manifest, asks = served.manifest, [wanted] * len(part.places)
    task = manifest.spec
    if not task.takes_images:
        check_finite(manifest, result)
    if task.maps_back:
        asks = [with_way(wanted, size, manifest.preprocess) for size in result.sizes]
    outputs = result.outputs
    if part.rows is not None:
        outputs = part.rows.merged(outputs)
        asks = with_places(asks, part.rows.places() if task.finds_in_text else ())
    answers: list[msgspec.Struct] = []
    for one in task.read(outputs, asks, manifest.reading):
        if isinstance(one, InputError):
            raise one
        answers.append(one)
    return answers


def _described(
    served: Served, found: list[msgspec.Struct], result: Result, upload: _Asked, started: float
) -> dict[str, Any]:
    """The answer's own fields, and whose it is. `kind` tells how it can be drawn. Of several images: a list."""
    task, manifest = served.manifest.spec, served.manifest
    total = time.perf_counter() - started
    ms = _Ms(*(round(s * 1e3, 3) for s in (result.queue, result.compute_input, result.compute_infer, total)))
    own: dict[str, Any] = {"kind": task.kind, "model": served.name, "version": served.version, "ms": ms}
    if task.maps_back:  # of a photo with an EXIF orientation: whether positions are those of the upright one
        own["upright"] = images.turns(manifest.preprocess)
    if not upload.is_batch:
        return {**plain_answer(found[0]), **own}
    answers = [plain_answer(one) for one in found]
    if upload.names:
        answers = [{"file": name, **one} for name, one in zip(upload.names, answers, strict=True)]
    return {"predictions": answers, **own}


async def _uploaded(content_type: str, body: bytes, served: Served) -> _Asked:
    """Large JSON and forms are read in a thread, and recordings, which a few bytes may hold: others must not wait."""
    read = _images if served.manifest.spec.takes_images else _rows
    if served.manifest.spec.has_audio:
        return await asyncio.to_thread(read, content_type, body, served)
    if len(body) <= LARGE or body.startswith((b"\xff\xd8", b"\x89PNG")):
        return read(content_type, body, served)
    return await asyncio.to_thread(read, content_type, body, served)


def _images(content_type: str, body: bytes, served: Served) -> _Asked:
    names = served.manifest.image_names
    found = uploads.read_several(content_type, body, names) if names else uploads.read(content_type, body)
    count = len(found.images)
    return _Asked([_AskedTogether(Items(images=found.images), range(count))], count, found.names, found.is_batch)


def _rows(content_type: str, body: bytes, served: Served) -> _Asked:
    found = row_uploads.prepared(content_type, body, served.manifest, served.fields)
    parts = [_AskedTogether(Items(arrays=rows.arrays), places, rows) for places, rows in found.parts]
    return _Asked(parts, found.count, found.names, found.is_batch)
