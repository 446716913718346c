"""The program of a process that holds one instance: open the model, answer batches until the server hangs up."""

import gc
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path

from lit_infer.server.models import instance_messages as messages
from lit_infer.server.models.batches import Work
from lit_infer.server.models.instances import open_here


def main() -> None:
    """`python -c ... FD`: FD is its end of a socket pair."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the server decides when to end, and may have to answer first
        signal.signal(number, signal.SIG_IGN)
    with Connection(int(sys.argv[1])) as line:
        try:
            serve(line)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def serve(line: Connection) -> None:
    """Until the engine dies. Raises EOFError or OSError when the server has gone."""
    start = messages.decode(line.recv_bytes(), messages.Start)
    try:
        instance = open_here(Path(start.path), start.wanted, alone=True)
    except Exception as error:
        line.send_bytes(messages.encode(messages.failure(error)))
        return
    line.send_bytes(messages.encode(messages.Ready(instance.opened)))
    gc.collect()
    gc.freeze()  # as the server does
    is_alive = True
    while is_alive:
        answered = instance.answer(messages.decode(line.recv_bytes(), list[Work]))
        line.send_bytes(messages.encode(messages.told(answered)))
        is_alive = answered.death is None
