"""Serve until a signal arrives: then report "not ready", stop accepting connections, and answer the rest."""

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

from starlette.types import ASGIApp
from uvicorn import Config, Server

from lit_infer.server.http import sockets as guards
from lit_infer.server.listeners import Listeners
from lit_infer.server.models.hanging import READING_THREADS
from lit_infer.server.models.repository import Repository
from lit_infer.server.settings import Settings

if TYPE_CHECKING:
    from lit_infer.server.grpc.server import GrpcServer

_BACKLOG = 2048
_TICKS_PER_LOOK = 5  # of 0.1 s
log = logging.getLogger("lit_serve")


def serve(
    app: ASGIApp,
    repository: Repository,
    settings: Settings,
    listeners: Listeners,
    *,
    grpc: "GrpcServer | None" = None,
    started: Callable[[], None] = lambda: None,
) -> None:
    """Run until SIGTERM or SIGINT, and return once every accepted request is answered.

    `grpc` runs beside the app. `started` is called when clients can connect.
    """
    config = Config(
        app,
        http=guards.protocol(settings, lambda: repository.draining),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        loop="auto",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=max(1, int(settings.idle_timeout) + 1),  # our own deadlines on sockets come first
        timeout_graceful_shutdown=max(1, int(settings.grace)),
        ssl_certfile=listeners.tls.certificate if listeners.tls else None,
        ssl_keyfile=listeners.tls.key if listeners.tls else None,
    )
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # a client that disconnects must not end the process
    try:
        _Server(config, repository, settings, grpc, started).run(sockets=[listeners.http])
    finally:
        gc.unfreeze()  # leak checkers that run at exit would report frozen objects


class _Server(Server):
    """uvicorn's server with a graceful stop, deadlines on sockets, and gRPC beside it."""

    def __init__(
        self,
        config: Config,
        repository: Repository,
        settings: Settings,
        grpc: "GrpcServer | None",
        started: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._repository = repository
        self._settings = settings
        self._grpc = grpc
        self._tell_started = started
        self._ticks_left = -1
        self._readers = ThreadPoolExecutor(thread_name_prefix=READING_THREADS)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then call `started`."""
        asyncio.get_running_loop().set_default_executor(self._readers)
        if self._grpc is not None:
            await self._grpc.start()
        await super().startup(sockets)
        # What is loaded now stays loaded. Without this, each full garbage collection delayed requests by 20 ms.
        gc.collect()
        gc.freeze()
        self._tell_started()

    async def on_tick(self, counter: int) -> bool:
        """Every 0.1 s."""
        if counter % _TICKS_PER_LOOK == 0:
            self._close_overdue()
        if self._ticks_left >= 0:
            self._ticks_left -= 1
            if self._ticks_left < 0:
                self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn does, but serve connections that are still in the backlog, and keep closing slow ones."""
        background = [asyncio.ensure_future(self._keep_closing())]
        grpc_end = asyncio.ensure_future(self._stop_grpc())
        for listener in sockets or []:
            # The kernel resets connections in the backlog when the listener closes: accept them first.
            background += [asyncio.ensure_future(self._take(sock)) for sock in _connected(listener)]
        try:
            await super().shutdown(sockets)
            await grpc_end
        finally:
            for task in background:
                task.cancel()
            self._leave_readers()

    def _leave_readers(self) -> None:
        """Bodies that nobody waits for any more may still be read: asyncio would wait for those threads at its end."""
        self._readers.shutdown(wait=False, cancel_futures=True)
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))

    async def _stop_grpc(self) -> None:
        if self._grpc is None:
            return
        ending = asyncio.ensure_future(self._grpc.stop(self._settings.grace))
        while not ending.done() and not self.force_exit:
            await asyncio.wait([ending], timeout=0.1)
        await self._grpc.stop(0)
        await ending

    async def _take(self, sock: socket.socket) -> None:
        def protocol() -> asyncio.Protocol:
            made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
                config=self.config, server_state=self.server_state, app_state={}
            )
            return made

        await asyncio.get_running_loop().connect_accepted_socket(protocol, sock, ssl=self.config.ssl)

    def _close_overdue(self) -> None:
        guards.close_overdue(self.server_state.connections, max_unread=self._settings.max_unread)

    async def _keep_closing(self) -> None:
        while True:
            self._close_overdue()
            await asyncio.sleep(0.5)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of handlers
        """The first signal starts a graceful stop; a second Ctrl-C stops at once."""
        if not self._repository.draining:
            self._repository.drain()
            self._ticks_left = int(self._settings.accept_delay * 10)
            log.info("%s: stopping; requests that were accepted are still answered", signal.Signals(sig).name)
        elif sig == signal.SIGINT:
            self.should_exit = self.force_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn does, without raising the signal again: a requested stop is no failure and exits 0."""
        before = {sig: signal.signal(sig, self.handle_exit) for sig in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)


def _connected(listener: socket.socket) -> list[socket.socket]:
    """The connections in the listener's backlog. Afterwards it refuses new ones."""
    listener.setblocking(False)
    found = []
    with suppress(BlockingIOError):
        while True:
            found.append(listener.accept()[0])
    with suppress(OSError):  # not possible on every system; there the listener closes a little later
        listener.shutdown(socket.SHUT_RDWR)
    return found
