"""Instances in processes of their own: what crashes there, or is killed for its memory, is not the server.

open_apart -> starts `instance_process` N times -> each opens the model and says what it has opened
answer     -> a process that is free -> one batch, as `instance_messages` has it, over a socket pair -> its answers
"""

import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue

from lit_infer.errors import EngineError, LitError, UsageError
from lit_infer.hardware import usable_cpus
from lit_infer.server.models import instance_messages as messages
from lit_infer.server.models.batches import Answered, Work
from lit_infer.server.models.instances import Opened, Wanted, pauses

_PROGRAM = "from lit_infer.server.models.instance_process import main; main()"
_SOCKET_BYTES = 2**20  # a batch of photos passes in a few pieces
_END_S = 5.0
log = logging.getLogger("lit_serve")


class _Process:
    """One instance; one batch at a time."""

    def __init__(self, start: messages.Start) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)
            self._line = Connection(ours.detach())
            # -P: no module of the working directory. A session of its own: Ctrl-C is for the server alone.
            command = [sys.executable, "-P", "-c", _PROGRAM, str(theirs.fileno())]
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
            )
        self._death = ""
        self._say(messages.encode(start))

    @property
    def is_lost(self) -> bool:
        """Whether it is known to have ended, or to be about to."""
        return bool(self._death) or self._process.returncode is not None

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def opened(self) -> Opened:
        """What it has opened, when it has. Raises what it could not be opened for."""
        told = messages.decode(self._hear(), messages.Ready | messages.Failure)  # type: ignore[arg-type] # a union
        if isinstance(told, messages.Failure):
            raise messages.error(told)
        return told.opened

    def answer(self, works: Sequence[Work]) -> Answered:
        """Answer a batch. Raises EngineError when the process has ended."""
        self._say(messages.encode(works))
        told = messages.decode(self._hear(), messages.Told)
        self._death = told.death
        return messages.answered(told)

    def leave(self) -> None:
        """Tell it to end."""
        self._line.close()

    def end(self, within: float = _END_S) -> None:
        """Wait until it has ended, and not for long."""
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def lost(self) -> EngineError:
        """Wait until it has ended, for however long. How it did."""
        status = self._process.wait()
        how = f"ended with status {status}" if status >= 0 else f"was ended by signal {-status}"
        return EngineError(f"its process {self.pid} {how}" + (f": {self._death}" if self._death else ""))

    def _say(self, message: bytes) -> None:
        try:
            self._line.send_bytes(message)
        except OSError:
            raise self._gone() from None

    def _hear(self) -> bytes:
        try:
            return self._line.recv_bytes()
        except (EOFError, OSError):
            raise self._gone() from None

    def _gone(self) -> EngineError:
        self.end()
        return self.lost()


class InProcesses:
    """Instances in processes of their own. One that is lost is replaced while the others go on."""

    def __init__(self, processes: Sequence[_Process], opened: Opened, start: messages.Start) -> None:
        self.opened = opened
        self._start = start
        self._processes = list(processes)
        self._on_loss: Callable[[Exception], None] = lambda _: None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._free: SimpleQueue[_Process] = SimpleQueue()
        for process in processes:
            self._admit(process)

    @property
    def pids(self) -> list[int]:
        """The processes' numbers."""
        return [process.pid for process in self._processes]

    def answer(self, works: Sequence[Work]) -> Answered:
        """Answer a batch in a process that is free. Raises EngineError when it is lost meanwhile."""
        while (process := self._free.get()).is_lost and self._processes:
            pass  # lost while it was free: another one takes its place
        try:
            return process.answer(works)
        except EngineError as lost:
            if not self._processes:
                self._on_loss(lost)
            raise
        finally:
            if not process.is_lost or not self._processes:
                self._free.put(process)

    def watch(self, on_loss: Callable[[Exception], None]) -> None:
        """Call when the last process is lost."""
        self._on_loss = on_loss

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            self._stop.set()
            processes, self._processes = self._processes, []
        _end(processes)

    def _admit(self, process: _Process) -> None:
        self._free.put(process)
        threading.Thread(target=self._mourn, args=(process,), name="lit-watch-process", daemon=True).start()

    def _mourn(self, process: _Process) -> None:
        how = process.lost()
        with self._lock:
            if self._stop.is_set():
                return
            self._processes.remove(process)
            is_last = not self._processes
        if is_last:
            self._free.put(process)  # who waits for a free one is to hear of it
            self._on_loss(how)
            return
        log.error("%s: %s; starting another", self.opened.manifest.name, how)
        self._replace()

    def _replace(self) -> None:
        for pause in pauses():
            if self._stop.wait(pause):
                return
            try:
                (process,), _ = _open(self._start, 1)
            except (LitError, OSError) as error:
                log.error("%s: no other process could be started: %s", self.opened.manifest.name, error)
                continue
            with self._lock:
                if is_wanted := not self._stop.is_set():
                    self._processes.append(process)
            if is_wanted:
                self._admit(process)
                log.warning("%s: process %s has taken its place", self.opened.manifest.name, process.pid)
            else:
                _end([process])
            return


def open_apart(path: Path, wanted: Wanted, count: int) -> InProcesses:
    """A model in `count` processes, each with its share of the threads. Raises what `open_here` raises."""
    if os.name != "posix":
        raise UsageError("models in processes of their own need Linux or macOS; leave --processes out")
    share = max(1, (wanted.threads or usable_cpus()) // count)
    start = messages.Start(str(path.absolute()), replace(wanted, threads=share))
    processes, opened = _open(start, count)
    return InProcesses(processes, replace(opened, count=count), start)


def _open(start: messages.Start, count: int) -> tuple[list[_Process], Opened]:
    """Processes that have opened the model, and what each of them has opened."""
    processes: list[_Process] = []
    try:
        for _ in range(count):
            processes.append(_Process(start))
        opened, *_ = [process.opened() for process in processes]
    except BaseException:
        _end(processes, within=0)  # they hold nothing yet
        raise
    return processes, opened


def _end(processes: Sequence[_Process], within: float = _END_S) -> None:
    for process in processes:
        process.leave()
    for process in processes:
        process.end(within)
