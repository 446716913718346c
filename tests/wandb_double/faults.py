"""What can be made to go wrong: which requests, how, and how often."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["error", "busy", "limit", "corrupt", "short", "stall", "drop", "reset", "shifted", "whole"]


@dataclass
class Fault:
    """Requests whose label begins with `at`, `times` more times.

    `at`: `graphql`, `graphql UseArtifact`, `GET storage`, `PUT storage`, `GET manifests`, `POST file_stream`, …
    `error`: HTTP 500 · `busy`: HTTP 503 · `limit`: HTTP 429 with a Retry-After of 1 second ·
    `corrupt`: other bytes, same size · `short`: half of the body, said to be all of it ·
    `stall`: half of the body, then silence until the double closes · `drop`: half of it, then the connection closes ·
    `reset`: the same, by a reset · `shifted`: another part than was asked for · `whole`: all, whatever was asked for.
    """

    at: str
    kind: Kind
    times: int


def take(faults: list[Fault], label: str) -> Kind | None:
    """The fault that hits this request, counted."""
    for fault in faults:
        if fault.times > 0 and label.startswith(fault.at):
            fault.times -= 1
            return fault.kind
    return None


def corrupted(body: bytes) -> bytes:
    """The same size, other bytes."""
    return bytes(byte ^ 0x55 for byte in body[:64]) + body[64:]
