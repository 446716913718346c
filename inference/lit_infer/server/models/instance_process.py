"""The program of an instance process: open the model, answer batches until the server closes the connection."""

import gc
import os
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

from lit_infer.server.models import instance_messages as messages
from lit_infer.server.models import memory
from lit_infer.server.models.batches import Work
from lit_infer.server.models.instances import open_here

_EVERY = 1.0  # seconds between looks at whether the server is there


def main() -> None:
    """`python -c ... FD`: FD is this process's end of a socket pair."""
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # the server decides when to exit: requests may have to be answered first
        signal.signal(number, signal.SIG_IGN)
    memory.return_large_blocks()
    threading.Thread(target=_end_with_the_server, args=(os.getppid(),), daemon=True).start()
    with Connection(int(sys.argv[1])) as line:
        try:
            serve(line)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def _end_with_the_server(server: int) -> None:
    """An engine that hangs hears of nothing: without this its process would outlive a server that was killed."""
    while os.getppid() == server:
        time.sleep(_EVERY)
    os._exit(1)


def serve(line: Connection) -> None:
    """Serve until the engine dies. Raises EOFError or OSError when the server has gone."""
    start = messages.decode(line.recv_bytes(), messages.Start)
    try:
        instance = open_here(Path(start.path), start.options, alone=True)
    except Exception as error:
        line.send_bytes(messages.encode(messages.failure(error)))
        return
    line.send_bytes(messages.encode(messages.Ready(instance.opened)))
    gc.collect()
    gc.freeze()  # as the server does
    is_alive = True
    while is_alive:
        answered = instance.answer(messages.decode(line.recv_bytes(), list[Work]))
        line.send_bytes(messages.encode(messages.reply(answered)))
        is_alive = answered.death is None
