"""KServe's V1 protocol, as its clients and TensorFlow Serving's speak it: instances in, predictions out.

curl -d '{"instances": [{"b64": "<base64>"}]}' localhost:8000/v1/models/pets:predict
"""

import asyncio
import functools
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lit_infer.errors import UsageError
from lit_infer.manifest import Manifest
from lit_infer.server.http import bodies, queries, uploads
from lit_infer.server.http.rest import Endpoint, Rest, json_response
from lit_infer.server.models.inference import answer, counted, infer
from lit_infer.server.models.opening import Served
from lit_infer.server.oip.tensors import DATATYPES, InputTensor, array_of
from lit_infer.server.results import Items, Result
from lit_infer.tensors import Arrays


class V1:
    """The routes, over the same service as those of V2."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/v1/models", self.models),
            Route("/v1/models/{name}:predict", Endpoint(self.predict), methods=["POST"]),
            Route("/v1/models/{name}", self.model),
        ]

    async def models(self, _: Request) -> Response:
        """The models' names."""
        return json_response({"models": self._rest.repository.names()})

    async def model(self, request: Request) -> Response:
        """Whether a model answers."""
        slot = self._rest.repository.find(request.path_params["name"])
        return json_response({"name": slot.name, "ready": slot.is_ready}, 200 if slot.is_ready else 503)

    async def predict(self, request: Request) -> Response:
        """The outputs' rows for each instance: a list of rows, or of objects where there are several outputs."""
        queries.check(request.query_params, ())
        body = await bodies.read(request.scope, request.receive, limit=self._rest.settings.max_body)
        name = request.path_params["name"]
        return await answer(self._rest.repository, name, None, functools.partial(self._predict, request, body))

    async def _predict(self, request: Request, body: bytes, served: Served) -> Response:
        exchange = request.scope["lit"]
        exchange.model = f"{served.name}/{served.version}"
        with counted(served.stats, exchange.span) as succeeded:
            items = await asyncio.to_thread(items_of, body, served.manifest)
            result = await infer(served, items, timeout=self._rest.settings.timeout, gone=request.receive)
            started = time.perf_counter()
            response = await asyncio.to_thread(_predictions, served.manifest, result)
            succeeded(result, time.perf_counter() - started)
        self._rest.observe(request, served, result)
        return response


def items_of(body: bytes, manifest: Manifest) -> Items:
    """The instances of a request: images in base64, or a row of each input. Raises UsageError."""
    try:
        asked = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"the body is not valid JSON: {error}") from None
    instances = asked.get("instances") if isinstance(asked, dict) else None
    if not isinstance(instances, list) or not instances:
        raise UsageError('a V1 request is {"instances": [...]} with at least one instance')
    if manifest.spec.takes_images and not isinstance(_first_row(instances, manifest), list):
        if len(instances) > uploads.MOST_IMAGES:
            raise UsageError(f"a request can have at most {uploads.MOST_IMAGES:,} images")
        if names := manifest.image_names:
            found = (uploads.of_several(one, names, f"instances[{i}]") for i, one in enumerate(instances))
            return Items(images=tuple(found))
        return Items(images=tuple(uploads.instance(one, f"instances[{i}]") for i, one in enumerate(instances)))
    return Items(arrays=arrays_of(instances, manifest))


def arrays_of(instances: Sequence[Any], manifest: Manifest) -> Arrays:
    """An array for each input from rows of plain numbers. Raises UsageError."""
    sides: dict[str, int] = {}
    tensors = _columns(instances, manifest)
    pairs = zip(tensors, manifest.inputs, strict=True)
    return tuple(array_of(tensor, None, expected, sides) for tensor, expected in pairs)


def _first_row(instances: list[Any], manifest: Manifest) -> Any:
    """The first instance, as far as it may be numbers."""
    first = instances[0]
    return first.get(manifest.inputs[0].name, first) if isinstance(first, dict) else first


def _columns(instances: Sequence[Any], manifest: Manifest) -> list[InputTensor]:
    """For each input the rows of all instances. An instance is an object, or the row itself if there is one input."""
    names = [tensor.name for tensor in manifest.inputs]
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for index, one in enumerate(instances):
        row = one if isinstance(one, dict) or len(names) > 1 else {names[0]: one}
        if not isinstance(row, dict) or set(row) != set(names):
            found = ", ".join(map(str, row))[:100] if isinstance(row, dict) else type(row).__name__
            raise UsageError(f"instances[{index}] must have {', '.join(names)}, not {found or 'nothing'}")
        for name in names:
            columns[name].append(row[name])
    return [_tensor(tensor.name, DATATYPES[tensor.dtype], columns[tensor.name]) for tensor in manifest.inputs]


def _tensor(name: str, datatype: str, rows: list[Any]) -> InputTensor:
    try:
        shape = list(np.shape(rows))
    except ValueError:
        raise UsageError(f"input {name}: the instances have different shapes") from None
    return InputTensor(name, datatype, shape, data=msgspec.Raw(msgspec.json.encode(rows)))


def _predictions(manifest: Manifest, result: Result) -> Response:
    names = [tensor.name for tensor in manifest.outputs]
    check_finite(manifest, result)
    columns = [array.tolist() for array in result.outputs]
    if len(columns) == 1:
        return json_response({"predictions": columns[0]})
    return json_response({"predictions": [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]})


def check_finite(manifest: Manifest, result: Result) -> None:
    """Raise UsageError for outputs that JSON has no numbers for."""
    for tensor, array in zip(manifest.outputs, result.outputs, strict=True):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise UsageError(
                f"output {tensor.name} holds NaN or infinity, which JSON cannot express: use the V2 protocol"
            )
