"""The Open Inference Protocol v2 from the client's side: what HTTP and gRPC have in common.

A `Client` knows a server; each of its `Connection`s is for one thread at a time, and stays open. Requests are packed
before a call and answers unpacked after it, so that the time between is the server's and the network's.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lit_infer.bench.served.address import Address
from lit_infer.errors import EngineError, LitError, NotFoundError, OverloadedError, UsageError
from lit_infer.server.oip.tensors import DATATYPES

DTYPES = {datatype: dtype for dtype, datatype in DATATYPES.items()}
"""numpy's names for the protocol's datatypes."""
TIMEOUT_S = 60.0
IDLE_S = 1.0
"""After this time a connection is checked before it is used: servers close idle ones."""
_LONGEST = 300

RequestInputs = Mapping[str, NDArray[Any] | Sequence[bytes]]
"""What a request holds: arrays by input name, or encoded images for an input."""


@dataclass(frozen=True)
class Credentials:
    """What a server needs to let us in."""

    key: str | None = None
    ca: Path | None = None
    """Certificates to trust besides the system's, PEM."""


@dataclass(frozen=True)
class ServerInfo:
    """What a server says about itself."""

    name: str
    version: str


@dataclass(frozen=True)
class TensorInfo:
    """An input or output; -1 is a side of any length."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class ModelInfo:
    """What a server says about one of its models."""

    name: str
    version: str
    """Named in each request; empty: whichever the server takes."""
    platform: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    max_batch: int | None
    """Rows of one run; 0: rows are not independent. None: the server does not say."""


@dataclass(frozen=True)
class ServerReply:
    """An answer, unpacked."""

    version: str
    outputs: Mapping[str, NDArray[Any]]


class Connection(Protocol):
    """For one thread at a time. All methods raise what `refusal` makes, and EngineError if the connection breaks."""

    def live(self) -> None:
        """The smallest request: whether the server is alive."""

    def infer(self, packed: Any) -> Any:
        """The answer, packed."""

    def wake(self) -> None:
        """Check a connection that was idle."""

    def close(self) -> None:
        """Hang up."""


class Client(Protocol):
    """One server by one protocol."""

    address: Address

    def server(self) -> ServerInfo:
        """What it says about itself."""

    def models(self) -> list[str]:
        """The names of its models that are ready."""

    def model(self, name: str, version: str) -> ModelInfo:
        """What it says about a model."""

    def pack(self, model: ModelInfo, rows: RequestInputs) -> Any:
        """A request for all of a model's outputs in binary."""

    def unpack(self, answer: Any) -> ServerReply:
        """Unpack the answer of `Connection.infer`."""

    def connect(self) -> Connection:
        """One more connection."""

    def close(self) -> None:
        """Close the connection for requests that are not measured."""


def printable(text: str) -> str:
    """A server's text, safe to print on a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:_LONGEST]).strip()


def refusal(address: Address, status: int, text: str) -> LitError:
    """What an answer of this HTTP status means, in one line."""
    said = printable(text) or f"status {status}"
    match status:
        case 401 | 403:
            return UsageError(f"{address}: {said}. Here: --api-key-file FILE, or $LIT_API_KEY")
        case 404:
            return NotFoundError(f"{address}: {said}")
        case 429 | 503:
            return OverloadedError(f"{address}: {said}")
        case _ if status < 500:
            return UsageError(f"{address} refused the request: {said}")
    return EngineError(f"{address} failed ({status}): {said}")


def element(blob: bytes) -> bytes:
    """One element of a BYTES tensor: its length as little-endian u32, then its bytes."""
    return struct.pack("<I", len(blob)) + blob


def datatype_and_blob(rows: NDArray[Any] | Sequence[bytes]) -> tuple[str, list[int], bytes]:
    """Datatype, shape and bytes of an input, as both protocols need them."""
    if not isinstance(rows, np.ndarray):
        return "BYTES", [len(rows)], b"".join(map(element, rows))
    if rows.dtype.name not in DATATYPES:
        raise UsageError(f"the protocol has no name for arrays of {rows.dtype}")
    blob = np.ascontiguousarray(rows, dtype=rows.dtype.newbyteorder("<")).tobytes()
    return DATATYPES[rows.dtype.name], list(rows.shape), blob


def array_from(address: Address, tensor: TensorInfo, blob: bytes | memoryview) -> NDArray[Any]:
    """An output's array. Raises EngineError if its bytes do not fit its shape."""
    if tensor.datatype not in DTYPES:
        raise EngineError(f"{address}: output {tensor.name} is {tensor.datatype[:16]}, which lit-bench does not read")
    try:
        return np.frombuffer(blob, np.dtype(DTYPES[tensor.datatype]).newbyteorder("<")).reshape(tensor.shape)
    except ValueError:
        size = f"{len(blob)} bytes for {tensor.datatype} {list(tensor.shape)}"
        raise EngineError(f"{address}: output {tensor.name} does not fit its own shape: {size}") from None
