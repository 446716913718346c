"""The page at `/`: its files, and the model card that it shows. A browser may not load anything from elsewhere."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lit_infer.server.http import page_files
from lit_infer.server.http.model_card import card
from lit_infer.server.http.rest import json_response
from lit_infer.server.models.repository import Repository

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",  # cached, but revalidated each time: a newer server has a newer page
}


class Page:
    """The routes of the page. Its files are read once."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._files = {path: page_files.read(name) for path, name in page_files.NAMES.items()}

    def routes(self) -> list[Route]:
        """The page, its parts, and each model's card."""
        model = "/v2/models/{name}"
        return [
            Route("/", self.root),
            Route("/page/{file}", self.file),
            Route(f"{model}/card", self.card),
            Route(f"{model}/versions/{{version}}/card", self.card),
        ]

    async def root(self, request: Request) -> Response:
        """The page for browsers, which ask for HTML; for other clients KServe's V1 liveness."""
        wants_page = "text/html" in request.headers.get("accept", "")
        answer = await self.file(request) if wants_page else json_response({"status": "alive"})
        answer.headers["vary"] = "Accept"
        return answer

    async def file(self, request: Request) -> Response:
        """One file of the page; 304 if the browser has it already."""
        file = self._files.get("/page/{file}".format(**request.path_params) if request.path_params else "/")
        if file is None:
            raise HTTPException(404)
        headers = {**_HEADERS, "etag": file.etag}
        if file.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(file.body, headers=headers, media_type=file.media_type)

    async def card(self, request: Request) -> Response:
        """A model's card."""
        with self._repository.held(request.path_params["name"], request.path_params.get("version")) as served:
            return json_response(card(served))
