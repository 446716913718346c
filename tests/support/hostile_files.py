"""Files that block, or that never end."""

import os
import socket
from collections.abc import Callable
from pathlib import Path


def pipe(path: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def holes(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(40 * 10**9)


def holes_around_a_beginning(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"\x08\x0a" * 5000)
        file.truncate(40 * 10**9)


HOSTILE: dict[str, tuple[Callable[[Path], None], str]] = {
    "pipe": (pipe, "is a named pipe, not a regular file"),
    "socket": (unix_socket, "is a socket, not a regular file"),
    "device": (device, "is a device, not a regular file"),
    "holes": (holes, "of which only 0 are stored"),
    "holes around a beginning": (holes_around_a_beginning, "are stored: fetch or export it again"),
}
