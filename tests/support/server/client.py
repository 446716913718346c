"""A client that drives an ASGI app without sockets."""

import asyncio
from typing import Any

import httpx
from starlette.types import ASGIApp


class Client:
    """Synchronous, one event loop of its own. `ask` sends several requests at once."""

    def __init__(self, app: ASGIApp) -> None:
        self._runner = asyncio.Runner()
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)  # type: ignore[arg-type]
        self._client = httpx.AsyncClient(transport=transport, base_url="http://test")

    def get(self, path: str, **how: Any) -> httpx.Response:
        return self._runner.run(self._client.request("GET", path, **how))

    def options(self, path: str, **how: Any) -> httpx.Response:
        return self._runner.run(self._client.request("OPTIONS", path, **how))

    def post(self, path: str, **how: Any) -> httpx.Response:
        return self._runner.run(self._client.request("POST", path, **how))

    def posts(self, path: str, *requests: dict[str, Any]) -> list[httpx.Response]:
        async def all_at_once() -> list[httpx.Response]:
            return await asyncio.gather(*(self._client.request("POST", path, **how) for how in requests))

        return self._runner.run(all_at_once())

    def close(self) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()
