"""Instances in processes of their own: what crashes there, or is killed for its memory, is not the server.

    open_apart -> starts `lit_infer.server.processes` N times -> each opens the model and says what it has opened
    answer     -> a process that is free -> one batch as MessagePack over a socket pair -> its answers

Nothing is pickled: what decodes strangers' images cannot make its parent run anything.
"""

import gc
import itertools
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lit_infer import errors
from lit_infer import manifest as manifests
from lit_infer.errors import EngineError, InputError, LitError, UsageError
from lit_infer.hardware import usable_cpus
from lit_infer.server.batches import Answer, Answered, Arrays, Execution, Work
from lit_infer.server.instances import BACK_OFF, Opened, Wanted, open_here

_PROGRAM = "from lit_infer.server.processes import main; main()"
_SOCKET_BYTES = 2**20  # a batch of photos passes in a few pieces
_END_S = 5.0
log = logging.getLogger("lit_serve")


class _Start(msgspec.Struct):
    path: str
    wanted: Wanted


class _Error(msgspec.Struct, tag=True):
    kind: str
    text: str
    code: str = ""


class _Ready(msgspec.Struct, tag=True):
    manifest: bytes
    engine: str
    device: str
    file: str | None
    batch_size: int


class _Array(msgspec.Struct, array_like=True):
    dtype: str
    shape: tuple[int, ...]
    data: bytes


class _Item(msgspec.Struct, array_like=True):
    image: bytes | None
    arrays: tuple[_Array, ...]
    rows: int


class _Answer(msgspec.Struct, tag=True):
    outputs: tuple[_Array, ...]
    rows: int
    compute_input: float
    compute_infer: float


class _Told(msgspec.Struct):
    answers: list[_Answer | _Error]
    executions: list[Execution]
    death: str
    """What its engine failed with, whereupon the process ends."""


class _Process:
    """One instance; one batch at a time."""

    def __init__(self, start: _Start) -> None:
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
        self._say(msgspec.msgpack.encode(start))

    @property
    def is_lost(self) -> bool:
        """Whether it is known to have ended, or to be about to."""
        return bool(self._death) or self._process.returncode is not None

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def opened(self) -> _Ready:
        """What it has opened, when it has. Raises what it could not be opened for."""
        told = msgspec.msgpack.decode(self._hear(), type=_Ready | _Error)
        if isinstance(told, _Error):
            raise _error(told)
        return told

    def answer(self, works: Sequence[Work]) -> Answered:
        """Answer a batch. Raises EngineError when the process has ended."""
        items = [_Item(work.image, _packed(work.arrays), work.rows) for work in works]
        self._say(msgspec.msgpack.encode(items))
        told = msgspec.msgpack.decode(self._hear(), type=_Told)
        self._death = told.death
        return Answered([_unpacked_answer(one) for one in told.answers], told.executions)

    def leave(self) -> None:
        """Tell it to end."""
        self._line.close()

    def end(self) -> None:
        """Wait until it has ended, and not for long."""
        try:
            self._process.wait(_END_S)
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

    def __init__(self, processes: Sequence[_Process], opened: Opened, start: _Start) -> None:
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
        for attempt in itertools.count():
            if self._stop.wait(BACK_OFF[min(attempt, len(BACK_OFF) - 1)]):
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
    start = _Start(str(path.absolute()), replace(wanted, threads=share))
    processes, ready = _open(start, count)
    opened = Opened(
        manifest=manifests.decode(ready.manifest, where=str(path)),
        engine=ready.engine,
        device=ready.device,
        file=ready.file,
        batch_size=ready.batch_size,
        count=count,
    )
    return InProcesses(processes, opened, start)


def _open(start: _Start, count: int) -> tuple[list[_Process], _Ready]:
    """Processes that have opened the model, and what each of them has opened."""
    processes: list[_Process] = []
    try:
        for _ in range(count):
            processes.append(_Process(start))
        ready, *_ = [process.opened() for process in processes]
    except BaseException:
        _end(processes)
        raise
    return processes, ready


def _end(processes: Sequence[_Process]) -> None:
    for process in processes:
        process.leave()
    for process in processes:
        process.end()


def main() -> None:
    """The program of one process: open the model, answer batches until the server hangs up."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the server decides when to end, and may have to answer first
        signal.signal(number, signal.SIG_IGN)
    with Connection(int(sys.argv[1])) as line:
        try:
            _serve(line)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def _serve(line: Connection) -> None:
    start = msgspec.msgpack.decode(line.recv_bytes(), type=_Start)
    try:
        instance = open_here(Path(start.path), start.wanted, alone=True)
    except Exception as error:
        line.send_bytes(msgspec.msgpack.encode(_told(error)))
        return
    opened = instance.opened
    ready = _Ready(manifests.encode(opened.manifest), opened.engine, opened.device, opened.file, opened.batch_size)
    line.send_bytes(msgspec.msgpack.encode(ready))
    gc.collect()
    gc.freeze()  # as the server does
    while True:
        items = msgspec.msgpack.decode(line.recv_bytes(), type=list[_Item])
        told = instance.answer([Work(item.image, _unpacked(item.arrays), item.rows, 0.0) for item in items])
        line.send_bytes(msgspec.msgpack.encode(_packed_told(told)))
        if told.death is not None:
            return


def _packed_told(told: Answered) -> _Told:
    death = "" if told.death is None else f"{type(told.death).__name__}: {told.death}"
    return _Told([_packed_answer(one) for one in told.answers], told.executions, death)


def _packed_answer(answer: Answer | Exception) -> _Answer | _Error:
    if isinstance(answer, Exception):
        return _told(answer)
    return _Answer(_packed(answer.outputs), answer.rows, answer.compute_input, answer.compute_infer)


def _packed(arrays: Arrays) -> tuple[_Array, ...]:
    return tuple(_Array(array.dtype.str, array.shape, array.tobytes()) for array in arrays)


def _unpacked(arrays: Sequence[_Array]) -> Arrays:
    return tuple(_array(array) for array in arrays)


def _array(packed: _Array) -> NDArray[Any]:
    return np.frombuffer(packed.data, np.dtype(packed.dtype)).reshape(packed.shape)


def _unpacked_answer(packed: _Answer | _Error) -> Answer | Exception:
    if isinstance(packed, _Error):
        return _error(packed)
    return Answer(_unpacked(packed.outputs), packed.rows, packed.compute_input, packed.compute_infer)


def _told(error: Exception) -> _Error:
    if isinstance(error, InputError):
        return _Error("InputError", str(error), error.code)
    if isinstance(error, LitError):
        return _Error(type(error).__name__, str(error))
    return _Error("EngineError", f"{type(error).__name__}: {error}")


def _error(told: _Error) -> LitError:
    if told.kind == "InputError":
        return InputError(told.text, code=told.code)
    kind = getattr(errors, told.kind, EngineError)
    return kind(told.text) if isinstance(kind, type) and issubclass(kind, LitError) else EngineError(told.text)
