"""tritonclient's four clients behind one face: the calls that they share are checked by the same tests.

Runs in tritonclient's environment.
"""

import asyncio
import inspect
import os
from collections.abc import Callable
from functools import cache
from typing import Any

import tritonclient.grpc
import tritonclient.grpc.aio
import tritonclient.http
import tritonclient.http.aio

NAMES = ("http", "http.aio", "grpc", "grpc.aio")
_ADDRESS = {"http": os.environ["LIT_TEST_HTTP"], "grpc": os.environ["LIT_TEST_GRPC"]}
_WRAPPED = {"get_model_config": "config", "get_model_repository_index": "models"}


class Way:
    """One client. Its calls are noted; those of an asyncio client are run to their end."""

    def __init__(self, name: str) -> None:
        self.is_grpc, self.is_aio = name.startswith("grpc"), name.endswith("aio")
        protocol = name.partition(".")[0]
        self.module = getattr(tritonclient, protocol)
        made_by = self.module.aio if self.is_aio else self.module
        self.runner = asyncio.Runner()
        self.client = self.runner.run(_made(made_by.InferenceServerClient, _ADDRESS[protocol]))
        self.called: set[str] = set()

    def __getattr__(self, call: str) -> Callable[..., Any]:
        method = getattr(self.client, call)

        def made(*arguments: Any, **named: Any) -> Any:
            self.called.add(call)
            found = method(*arguments, **named)
            return self.runner.run(found) if inspect.iscoroutine(found) else found

        return made

    def told(self, call: str, *arguments: str) -> Any:
        """What a call describes, as REST has it: gRPC's JSON has its integers as strings, and no zeros."""
        if not self.is_grpc:
            return getattr(self, call)(*arguments)
        found = getattr(self, call)(*arguments, as_json=True)
        return found[_WRAPPED[call]] if call in _WRAPPED else found

    def tensor(self, name: str, array: Any, datatype: str) -> Any:
        """An input."""
        return self.module.InferInput(name, list(array.shape), datatype).set_data_from_numpy(array)

    def wanted(self, name: str, **how: Any) -> Any:
        """An output to ask for."""
        return self.module.InferRequestedOutput(name, **how)


@cache
def way(name: str) -> Way:
    """The client of that name, one for all files, so that in the end it is known what was never called."""
    return Way(name)


async def _made(kind: Callable[[str], Any], address: str) -> Any:
    """Clients of asyncio are made where a loop runs."""
    return kind(address)
