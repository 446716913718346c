"""The HTTP service without its sockets: an ASGI app that a test client can drive."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.routing import Router
from starlette.types import ASGIApp

from lit_infer.server.http.edge import Edge
from lit_infer.server.http.page import Page
from lit_infer.server.http.predict import PredictRoute
from lit_infer.server.http.rest import Rest
from lit_infer.server.http.v1 import V1
from lit_infer.server.models.metrics import Metrics
from lit_infer.server.models.repository import Repository
from lit_infer.server.settings import Settings
from lit_infer.server.telemetry.access_log import Access

if TYPE_CHECKING:
    from lit_infer.server.telemetry.tracing import Tracing


def create_app(
    repository: Repository,
    settings: Settings | None = None,
    *,
    access: Callable[[Access], None] | None = None,
    metrics: Metrics | None = None,
    tracing: "Tracing | None" = None,
) -> ASGIApp:
    """The ASGI app over open models. `access` is called per request. The caller closes repository and tracing."""
    settings = settings or Settings()
    rest = Rest(repository, settings, metrics or Metrics())
    found = [*PredictRoute(rest).routes(), *rest.routes(), *V1(rest).routes(), *Page(repository).routes()]
    routes = Router(found, redirect_slashes=False)
    edge = Edge(routes, keys=settings.keys, access=access, tracing=tracing, root_path=settings.root_path)
    return _with_cors(edge, settings.cors_origins) if settings.cors_origins else edge


def _with_cors(app: ASGIApp, origins: tuple[str, ...]) -> ASGIApp:
    """Tell browsers that pages of these origins may send requests. A preflight carries no key, and needs none."""
    from starlette.middleware.cors import CORSMiddleware

    exposed = ("inference-header-content-length", "x-request-id", "retry-after")
    return CORSMiddleware(
        app, allow_origins=origins, allow_methods=("GET", "POST"), allow_headers=("*",), expose_headers=exposed
    )
