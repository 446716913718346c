"""Instances in processes of their own: a crash, or the OOM killer, does not take the server down.

open_isolated -> starts `instance_process` N times -> each opens the model and describes it
answer        -> a free process -> one batch over a socket pair (`instance_messages`) -> its answers
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
from lit_infer.server.models.batches import Answered, Phase, Work
from lit_infer.server.models.instances import LoadOptions, ModelDescription, pauses
from lit_infer.server.models.open_limit import OpenLimit, wait_within

_PROGRAM = "from lit_infer.server.models.instance_process import main; main()"
_SOCKET_BYTES = 2**20  # enough to send a batch of photos in a few pieces
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
            # -P: import nothing from the working directory. Own session: Ctrl-C reaches the server only.
            command = [sys.executable, "-P", "-c", _PROGRAM, str(theirs.fileno())]
            self._process = subprocess.Popen(  # noqa: S603 - a program of ours
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
            )
        self._death = ""
        self._send(messages.encode(start))

    @property
    def is_lost(self) -> bool:
        """Whether the process has exited or is known to be about to."""
        return bool(self._death) or self._process.returncode is not None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def opened(self, limit: OpenLimit | None) -> ModelDescription:
        """Wait until the model is open, and return its description. Raises the process's error."""
        if limit is not None:
            wait_within(limit, self.pid, self._line.poll)
        first = messages.decode(self._receive(), messages.Ready | messages.Failure)  # type: ignore[arg-type] # a union
        if isinstance(first, messages.Failure):
            raise messages.error(first)
        return first.opened

    def answer(self, works: Sequence[Work]) -> Answered:
        """Answer a batch. Raises EngineError if the process has exited."""
        self._send(messages.encode(works))
        reply = messages.decode(self._receive(), messages.Reply)
        self._death = reply.death
        return messages.answered(reply)

    def ask_to_exit(self) -> None:
        """Ask the process to exit."""
        self._line.close()

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def end(self, within: float = _END_S) -> None:
        """Wait until the process has exited; kill it after `within` seconds."""
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def lost(self) -> EngineError:
        """Wait until the process has exited, however long that takes, and say how it did."""
        status = self._process.wait()
        how = f"exited with status {status}" if status >= 0 else f"was killed by signal {-status}"
        return EngineError(f"process {self.pid} {how}" + (f": {self._death}" if self._death else ""))

    def _send(self, message: bytes) -> None:
        try:
            self._line.send_bytes(message)
        except OSError:
            raise self._gone() from None

    def _receive(self) -> bytes:
        try:
            return self._line.recv_bytes()
        except (EOFError, OSError):
            raise self._gone() from None

    def _gone(self) -> EngineError:
        self.end()
        return self.lost()


class InProcesses:
    """Instances in processes of their own. A lost process is replaced while the others continue."""

    def __init__(self, processes: Sequence[_Process], opened: ModelDescription, start: messages.Start) -> None:
        self.opened = opened
        self._start = start
        self._processes = list(processes)
        self._on_loss: Callable[[Exception], None] = lambda _: None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._free: SimpleQueue[_Process] = SimpleQueue()
        self._asked: dict[int, _Process] = {}
        """By thread, the process that it waits for."""
        for process in processes:
            self._admit(process)

    @property
    def for_long(self) -> int:
        """All but one of the processes, where there are several: what is quick waits for one at most."""
        return max(1, self.opened.count - 1)

    @property
    def pids(self) -> list[int]:
        """The process ids."""
        return [process.pid for process in self._processes]

    def answer(self, works: Sequence[Work]) -> Answered:
        """Answer a batch in a free process. Raises EngineError if that process is lost meanwhile."""
        while (process := self._free.get()).is_lost and self._processes:
            pass  # lost while it was free: it is being replaced
        self._asked[threading.get_ident()] = process
        try:
            return process.answer(works)
        except EngineError as lost:
            if not self._processes:
                self._on_loss(lost)
            raise
        finally:
            self._asked.pop(threading.get_ident(), None)
            if not process.is_lost or not self._processes:
                self._free.put(process)

    def phase(self, thread: int) -> Phase | None:
        """None: a process does not say what it is doing."""
        del thread
        return None

    def stop(self, thread: int) -> bool:
        """Kill the process that a thread waits for; it is replaced like one that has crashed."""
        if (process := self._asked.get(thread)) is not None:
            process.kill()
        return True

    def watch(self, on_loss: Callable[[Exception], None]) -> None:
        """Have `on_loss` called when the last process is lost."""
        self._on_loss = on_loss

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            self._stop.set()
            processes, self._processes = self._processes, []
        _end(processes)

    def _admit(self, process: _Process) -> None:
        self._free.put(process)
        threading.Thread(target=self._watch_one, args=(process,), name="lit-watch-process", daemon=True).start()

    def _watch_one(self, process: _Process) -> None:
        how = process.lost()
        with self._lock:
            if self._stop.is_set():
                return
            self._processes.remove(process)
            is_last = not self._processes
        if is_last:
            self._free.put(process)  # callers that wait for a free process must get an error
            self._on_loss(how)
            return
        log.error("%s: %s; starting another process", self.opened.manifest.name, how)
        self._replace()

    def _replace(self) -> None:
        for pause in pauses():
            if self._stop.wait(pause):
                return
            try:
                (process,), _ = _open(self._start, 1)
            except (LitError, OSError) as error:
                log.error("%s: another process could not be started: %s", self.opened.manifest.name, error)
                continue
            with self._lock:
                if is_wanted := not self._stop.is_set():
                    self._processes.append(process)
            if is_wanted:
                self._admit(process)
                log.warning("%s: process %s replaces it", self.opened.manifest.name, process.pid)
            else:
                _end([process])
            return


def open_isolated(path: Path, options: LoadOptions, count: int) -> InProcesses:
    """Open a model in `count` processes, each with its share of the threads. Raises what `open_here` raises."""
    if os.name != "posix":
        raise UsageError("--processes needs Linux or macOS: leave it out")
    share = max(1, (options.threads or usable_cpus()) // count)
    start = messages.Start(str(path.absolute()), replace(options, threads=share))
    processes, opened = _open(start, count)
    return InProcesses(processes, replace(opened, count=count), start)


def try_open(path: Path, options: LoadOptions) -> None:
    """Open a model in a process that ends again: what it does there harms nobody. Raises what `open_here` raises."""
    processes, _ = _open(messages.Start(str(path.absolute()), options), 1)
    _end(processes)


def _open(start: messages.Start, count: int) -> tuple[list[_Process], ModelDescription]:
    """Start processes, wait until they have opened the model, and return the model's description."""
    processes: list[_Process] = []
    try:
        for _ in range(count):
            processes.append(_Process(start))
        opened, *_ = [process.opened(start.options.open_limit) for process in processes]
    except BaseException:
        _end(processes, within=0)  # they have no requests yet
        raise
    return processes, opened


def _end(processes: Sequence[_Process], within: float = _END_S) -> None:
    for process in processes:
        process.ask_to_exit()
    for process in processes:
        process.end(within)
