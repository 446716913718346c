"""The HTTP service without its sockets: an ASGI app that a test client can drive."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.routing import Router
from starlette.types import ASGIApp

from lit_infer.server.http.edge import Edge
from lit_infer.server.http.page import Page
from lit_infer.server.http.predict import PredictRoute
from lit_infer.server.http.rest import Rest
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
    routes = Router([*PredictRoute(rest).routes(), *rest.routes(), *Page(repository).routes()], redirect_slashes=False)
    return Edge(routes, keys=settings.keys, access=access, tracing=tracing)
