"""What a child process reports, reported again by its parent: a JSON line on a pipe for each report."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import IO, Any

from lit_infer import progress
from lit_infer.progress import Advance, Listener, Transferred


def listener(pipe: int) -> Listener:
    """In the child: writes every report to the pipe, which must not be inherited by what the child starts."""
    os.set_inheritable(pipe, False)
    stream = os.fdopen(pipe, "w", encoding="utf-8")

    def send(*said: Any) -> None:
        stream.write(json.dumps(said) + "\n")
        stream.flush()

    @contextmanager
    def transfer(task: str) -> Iterator[Transferred]:
        send("transfer", task)
        try:
            yield lambda done, total: send("now", done, total)
        finally:
            send("end")

    @contextmanager
    def steps(task: str, total: int) -> Iterator[Advance]:
        send("steps", task, total)
        try:
            yield lambda: send("now")
        finally:
            send("end")

    return Listener(
        note=lambda text: send("note", text),
        note_once=lambda text: send("note_once", text),
        warn=lambda text: send("warn", text),
        transfer=transfer,
        steps=steps,
    )


def retell(pipe: int, name: str) -> None:
    """In the parent: report everything that comes through the pipe, until nobody holds its other end.

    A line is prefixed with `name`, unless it begins with it already or is true of all the work.
    """
    with os.fdopen(pipe, encoding="utf-8") as stream, ExitStack() as open_now:
        _retell(stream, name, open_now)


def _retell(stream: IO[str], name: str, open_now: ExitStack) -> None:
    begin: dict[str, Callable[..., AbstractContextManager[Any]]] = {
        "transfer": progress.transfer,
        "steps": progress.steps,
    }
    tell: Any = None
    for line in stream:
        if not line.endswith("\n"):
            return  # the child was ended while it wrote
        kind, *said = json.loads(line)
        match kind:
            case "transfer" | "steps":
                tell = open_now.enter_context(begin[kind](*said))
            case "now":
                tell(*said)
            case "end":
                open_now.close()
            case "note_once":
                progress.note_once(*said)
            case "note" | "warn":
                own = said[0].startswith(name)
                getattr(progress, kind)(said[0] if own else f"{name}: {said[0]}")
