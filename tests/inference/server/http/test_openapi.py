"""The document says what the routes do."""

from typing import Any

from lit_infer.server.app import create_app
from lit_infer.server.models.repository import Repository
from lit_infer.server.settings import Settings
from tests.support.server.client import Client
from tests.support.server.requests import png, tensor

NOT_DESCRIBED = ("/v2/logging", "trace", "sharedmemory")


def document(client: Client) -> Any:
    return client.get("/openapi.json").json()


def test_every_route_is_described_and_nothing_else(repository: Repository) -> None:
    app = create_app(repository, Settings(explicit_control=True))
    client = Client(app)
    routes = {route.path for route in app._routes.routes}  # type: ignore[attr-defined]

    described = set(document(client)["paths"])

    assert described == {path for path in routes if not any(part in path for part in NOT_DESCRIBED)}
    client.close()


def test_every_reference_resolves(client: Client) -> None:
    found = document(client)

    def check(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                assert node["$ref"].rpartition("/")[2] in found["components"]["schemas"]
            for value in node.values():
                check(value)
        elif isinstance(node, list):
            for value in node:
                check(value)

    check(found["paths"])


def test_answers_have_the_fields_that_are_promised(client: Client) -> None:
    found = document(client)

    def check(method: str, path: str, answer: Any) -> None:
        promised = found["paths"][path][method]["responses"][str(answer.status_code)]["content"]
        (schema,) = [
            kind["schema"] for name, kind in promised.items() if answer.headers["content-type"].startswith(name)
        ]
        name = schema.get("$ref", "").rpartition("/")[2]
        schema = found["components"]["schemas"][name] if name else schema
        body = answer.json()
        assert set(schema.get("required", ())) <= set(body if isinstance(body, dict) else schema.get("required", ()))

    for path in found["paths"]:
        real = path.replace("{name}", "colours").replace("{version}", "1")
        if "get" in found["paths"][path] and path not in ("/", "/metrics"):
            check("get", path, client.get(real))
    infer = "/v2/models/{name}/infer"
    check("post", infer, client.post("/v2/models/colours/infer", json={"inputs": [tensor()]}))
    check("post", infer, client.post("/v2/models/colours/infer", json={"inputs": []}))
    check("post", "/predict", client.post("/predict", content=png()))
    check("post", "/predict", client.post("/predict", content=b""))


def test_keys_are_described_where_they_are_asked_for(repository: Repository) -> None:
    client = Client(create_app(repository, Settings(keys=(b"k",))))

    found = client.get("/openapi.json", headers={"X-API-Key": "k"}).json()

    assert set(found["components"]["securitySchemes"]) == {"bearer", "key"}
    client.close()
