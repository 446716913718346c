"""The OpenAPI document, written by hand next to the routes that it describes."""

from typing import Any

from lit_infer import tasks
from lit_infer.server.oip.tensors import DATATYPES
from lit_infer.server.settings import Settings
from lit_infer.tasks import MEDIA

_OBJECT: dict[str, Any] = {"type": "object"}
_TEXT: dict[str, Any] = {"type": "string"}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
_ERRORS = {
    400: "The request is invalid",
    401: "No key or an invalid one",
    404: "No such model or version",
    413: "The body is too large",
    500: "An internal error",
    501: "Not supported by this server",
    503: "Not ready, or the queue is full: see Retry-After",
}


_BODIES = ("application/octet-stream", "image/*", "audio/*", "multipart/form-data", "application/json")


def document(settings: Settings) -> dict[str, Any]:
    """OpenAPI 3.1."""
    from lit_infer import __version__

    paths = _paths(settings)
    described: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "lit-serve", "version": __version__, "description": "Open Inference Protocol v2 (REST)."},
        "paths": paths,
        "components": {"schemas": _schemas()},
    }
    if settings.root_path:
        described["servers"] = [{"url": settings.root_path}]
    if settings.keys:
        schemes = {"bearer": {"type": "http", "scheme": "bearer"}}
        schemes["key"] = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
        described["components"]["securitySchemes"] = schemes
        described["security"] = [{"bearer": []}, {"key": []}]
    return described


def _paths(settings: Settings) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {
        "/v2/health/live": {"get": _open(_get("Whether the process is alive", _flag("live"), errors=()))},
        "/v2/health/ready": {"get": _open(_get("Whether all models are ready", _flag("ready"), errors=()))},
        "/v2": {"get": _get("The server", "ServerMetadata")},
        "/v2/models": {"get": _get("The models' names", "Models")},
        "/v2/models/stats": {"get": _get("The statistics of all models", "Statistics")},
        "/v2/repository/index": {"post": _post("All models and their states", "IndexRequest", "Index")},
        "/predict": {"post": _predict()},
        "/v1/models": {"get": _get("The models' names", "Models")},
        "/v1/models/{name}": {"parameters": _path_parameters(["name"]), "get": _v1_model()},
        "/v1/models/{name}:predict": {"parameters": _path_parameters(["name"]), "post": _v1_predict()},
        "/metrics": {"get": _get("Metrics for Prometheus", _TEXT, media="text/plain")},
        "/openapi.json": {"get": _get("This document", _OBJECT)},
        "/": {"get": _page_file("The page", "text/html")},
        "/page/{file}": {
            "parameters": _path_parameters(["file"]),
            "get": _page_file("A file of the page", "text/css", "text/javascript", errors=(401, 404)),
        },
    }
    paths["/"]["get"]["responses"]["200"]["content"]["application/json"] = {"schema": _OBJECT}  # KServe V1's liveness
    paths["/v2/health/ready"]["get"]["responses"]["503"] = _answer("Not ready", _flag("ready"))
    for version in ("", "/versions/{version}"):
        paths |= _model_paths(f"/v2/models/{{name}}{version}", ["name", *(["version"] if version else [])])
        images = _model_paths(f"/v2/models/{{name}}/images{version}", ["name", *(["version"] if version else [])])
        paths |= {path: item for path, item in images.items() if not path.endswith("/card")}
    if settings.explicit_control:
        for verb in ("Load", "Unload"):
            path = f"/v2/repository/models/{{name}}/{verb.lower()}"
            paths[path] = {"parameters": _path_parameters(["name"]), "post": _post(verb, f"{verb}Request", _OBJECT)}
    return paths


def _model_paths(base: str, names: list[str]) -> dict[str, Any]:
    errors = (401, 404, 500, 503)
    ready = _get("Whether the model is ready", "ModelReady", errors=(401, 404, 500))
    ready["responses"]["503"] = _answer("Not ready", _schema("ModelReady"))
    found = {
        base: {"get": _get("The model", "ModelMetadata", errors=errors)},
        f"{base}/ready": {"get": ready},
        f"{base}/config": {"get": _get("Its configuration", "ModelConfig", errors=errors)},
        f"{base}/stats": {"get": _get("Its statistics", "Statistics", errors=errors)},
        f"{base}/card": {"get": _get("Its model card", "ModelCard", errors=errors)},
        f"{base}/infer": {"post": _infer()},
    }
    return {path: {"parameters": _path_parameters(names), **item} for path, item in found.items()}


def _infer() -> dict[str, Any]:
    operation = _post("Run the model", "InferRequest", "InferResponse")
    operation["parameters"] = [
        {
            "name": "Inference-Header-Content-Length",
            "in": "header",
            "description": "Bytes of JSON before the binary data",
            "schema": {"type": "integer", "minimum": 1},
        }
    ]
    for part in (operation["requestBody"], operation["responses"]["200"]):
        part["content"]["application/octet-stream"] = {}
    operation["requestBody"]["required"] = True
    return operation


def _v1_model() -> dict[str, Any]:
    operation = _get("Whether the model is ready", "ModelReady", errors=(401, 404, 500))
    operation["responses"]["503"] = _answer("Not ready", _schema("ModelReady"))
    return operation


def _v1_predict() -> dict[str, Any]:
    operation = _get("Run the model, in KServe's V1 protocol", _OBJECT, errors=tuple(_ERRORS))
    instances = {"type": "object", "required": ["instances"], "properties": {"instances": {"type": "array"}}}
    operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": instances}}}
    return operation


def _predict() -> dict[str, Any]:
    operation = _get("Answer for images, recordings or rows", "Prediction", errors=tuple(_ERRORS))
    operation["requestBody"] = {"required": True, "content": {media: {} for media in _BODIES}}
    operation["responses"]["200"]["content"] |= {media: {} for media in MEDIA.values()}  # for those that Accept it
    operation["parameters"] = [
        {"name": "model", "in": "query", "schema": _TEXT},
        {"name": "version", "in": "query", "schema": _TEXT},
        {"name": "top_k", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 10000}},
        {"name": "threshold", "in": "query", "schema": {"type": "number"}},
    ]
    return operation


def _page_file(summary: str, *media: str, errors: tuple[int, ...] = ()) -> dict[str, Any]:
    operation = _open(_get(summary, _TEXT, errors=errors))
    operation["responses"]["200"]["content"] = {kind: {"schema": _TEXT} for kind in media}
    return operation


def _open(operation: dict[str, Any]) -> dict[str, Any]:
    """The operation, without a key."""
    return {**operation, "security": []}


def _get(
    summary: str, schema: str | dict[str, Any], *, errors: tuple[int, ...] = (401, 500), media: str = "application/json"
) -> dict[str, Any]:
    answers = {str(status): _answer(_ERRORS[status], _schema("Error")) for status in errors}
    return {"summary": summary, "responses": {"200": _answer(summary, _schema(schema), media), **answers}}


def _post(summary: str, body: str, answer: str | dict[str, Any]) -> dict[str, Any]:
    operation = _get(summary, answer, errors=tuple(_ERRORS))
    operation["requestBody"] = {"content": {"application/json": {"schema": _schema(body)}}}
    return operation


def _answer(text: str, schema: dict[str, Any], media: str = "application/json") -> dict[str, Any]:
    return {"description": text, "content": {media: {"schema": schema}}}


def _schema(schema: str | dict[str, Any]) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{schema}"} if isinstance(schema, str) else schema


def _path_parameters(names: list[str]) -> list[dict[str, Any]]:
    return [{"name": name, "in": "path", "required": True, "schema": {**_TEXT, "minLength": 1}} for name in names]


def _flag(name: str) -> dict[str, Any]:
    return _fields({name: {"type": "boolean"}})


def _fields(fields: dict[str, Any], *, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": [name for name in fields if name not in optional]}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _schemas() -> dict[str, Any]:
    shape, parameters = _list({"type": "integer"}), {"type": "object", "additionalProperties": True}
    datatype = {"enum": [*DATATYPES.values(), "BYTES"]}
    tensor = {"name": _TEXT, "datatype": datatype, "shape": shape, "parameters": parameters, "data": {"type": "array"}}
    # Either numbers in JSON, or binary_data_size in the parameters.
    either = {"anyOf": [{"required": ["data"]}, {"required": ["parameters"]}]}
    given, answered = (_list({**_fields(tensor, optional=("parameters", "data")), **either}) for _ in range(2))
    wanted = _list(_fields({"name": _TEXT, "parameters": parameters}, optional=("parameters",)))
    given["minItems"] = 1
    described = _list(_fields({"name": _TEXT, "datatype": datatype, "shape": shape}))
    request = {"id": _TEXT, "parameters": parameters, "inputs": given, "outputs": wanted}
    response = {"model_name": _TEXT, "model_version": _TEXT, "id": _TEXT, "outputs": answered}
    listed = {"name": _TEXT, "version": _TEXT, "state": {"enum": ["READY", "LOADING", "UNAVAILABLE"]}, "reason": _TEXT}
    metadata = {"name": _TEXT, "versions": _list(_TEXT), "platform": _TEXT, "inputs": described, "outputs": described}
    card = {"name": _TEXT, "version": _TEXT, "task": _TEXT, "source": _OBJECT, "preprocess": _list(_OBJECT)}
    card |= {"inputs": _list(_OBJECT), "outputs": _list(_OBJECT), "made_with": _OBJECT}
    answers, components = tasks.answer_schemas()
    whose = {"kind": _TEXT, "model": _TEXT, "version": _TEXT, "ms": _OBJECT}
    whose["upright"] = {"type": "boolean", "description": "Whether positions are those of the image turned upright"}
    return {
        "Error": _fields({"error": _TEXT}),
        "ServerMetadata": _fields({"name": _TEXT, "version": _TEXT, "extensions": _list(_TEXT)}),
        "Models": _fields({"models": _list(_TEXT)}),
        "ModelReady": _fields({"name": _TEXT, "ready": {"type": "boolean"}}),
        "ModelMetadata": _fields(metadata),
        "ModelCard": _fields(card),
        "ModelConfig": _fields({"name": _TEXT, "max_batch_size": _COUNT, "input": _list(_OBJECT)}),
        "Statistics": _fields({"model_stats": _list(_OBJECT)}),
        "IndexRequest": _fields({"ready": {"type": "boolean"}}, optional=("ready",)),
        "Index": _list(_fields(listed)),
        "LoadRequest": _fields({"parameters": {"type": "object", "maxProperties": 0}}, optional=("parameters",)),
        "UnloadRequest": _fields({"parameters": parameters}, optional=("parameters",)),
        "InferRequest": _fields(request, optional=("id", "parameters", "outputs")),
        "InferResponse": _fields(response, optional=("id",)),
        "Prediction": {"allOf": [{"anyOf": answers}, _fields(whose, optional=("upright",))]},
        **components,
    }
