"""What every protocol makes of a request, and what it gets for it."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Wanted:
    """An output and how it is to be sent."""

    name: str
    binary: bool
    classes: int = 0
    """Not 0: the best so many as `value:index:label` instead of the numbers."""


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A request that fits its model: images, or arrays for all inputs in the manifest's order."""

    id: str
    images: tuple[bytes, ...]
    arrays: tuple[NDArray[Any], ...]
    wanted: tuple[Wanted, ...]
    timeout: float | None
    """Seconds, as the client asks; None: it does not."""


@dataclass(frozen=True, slots=True)
class Result:
    """The outputs of all rows of a request, in the manifest's order, and what it took, in seconds."""

    outputs: tuple[NDArray[Any], ...]
    rows: int
    queue: float
    compute_input: float
    compute_infer: float
    submitted: float
    """When, by time.perf_counter."""
