"""An inference request and its result, as HTTP and gRPC share them."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class WantedOutput:
    """An output that a request asks for, and how to send it."""

    name: str
    binary: bool
    classes: int = 0
    """If not 0: this many top classes as `value:index:label`, instead of the numbers."""


@dataclass(frozen=True, slots=True)
class Items:
    """What a model is asked about: encoded images, or arrays for all inputs in the manifest's order."""

    images: tuple[bytes, ...] = ()
    arrays: tuple[NDArray[Any], ...] = ()
    timeout: float | None = None
    """Seconds, if the client set one."""


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A request of the Open Inference Protocol that fits its model."""

    id: str
    items: Items
    wanted: tuple[WantedOutput, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """The outputs for all rows of a request, in the manifest's order, and how long each stage took, in seconds."""

    outputs: tuple[NDArray[Any], ...]
    rows: int
    queue: float
    compute_input: float
    compute_infer: float
    submitted: float
    """When it was submitted, by time.perf_counter."""
    sizes: tuple[tuple[int, int] | None, ...] = ()
    """(width, height) of each image before its preprocessing."""
