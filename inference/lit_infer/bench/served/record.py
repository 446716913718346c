"""What `lit-bench` records about a served model beside its figures."""

from collections.abc import Sequence
from dataclasses import dataclass

from lit_infer.bench.cells import CallingCell
from lit_infer.bench.measure import take_turns
from lit_infer.bench.served.address import Protocol
from lit_infer.bench.served.agreement import MatchingGraph
from lit_infer.bench.served.model import ServedModel


@dataclass(frozen=True)
class Floor:
    """The cost of client and network: the smallest request, over the same kind of connections."""

    callers: int
    p50_ms: float
    requests_per_s: float
    """This client cannot do more, however fast the server is."""


@dataclass(frozen=True)
class ServedRecord:
    """Which model of which server answered."""

    format: str
    """As in the rows."""
    url: str
    protocol: Protocol
    server: str
    server_version: str
    model: str
    model_version: str
    platform: str
    sends: str
    """tensors or images."""
    floor: tuple[Floor, ...]
    answers_as: str | None = None
    """The graph of the local bundle whose answers it gives; None: no bundle was named."""
    difference: float | None = None
    """The largest difference from that graph, as a share of the largest answer."""

    @property
    def identity(self) -> str:
        """Model and server."""
        version = f" version {self.model_version}" if self.model_version else ""
        return f"{self.model}{version} on {self.server} {self.server_version}"

    def __str__(self) -> str:
        who = f"{self.format} is {self.identity} at {self.url}, asked with {self.sends}"
        if self.answers_as is None:
            return who
        return f"{who}; its answers are those of {self.answers_as} here (largest difference {self.difference:.1g})"


def record(
    model: ServedModel, *, callers: Sequence[int], seconds: float, agreement: MatchingGraph | None
) -> ServedRecord:
    """Who answers, and the floor for one caller and for the most of `callers`, each measured for that long."""
    counts = sorted({1, max(callers, default=1)})
    rows = take_turns([CallingCell(model, model.floor(count)) for count in counts], seconds=seconds)
    return ServedRecord(
        format=model.name,
        url=model.client.address.url,
        protocol=model.client.address.protocol,
        server=model.server.name,
        server_version=model.server.version,
        model=model.info.name,
        model_version=model.info.version,
        platform=model.info.platform,
        sends="images" if model.decoded else "tensors",
        floor=tuple(Floor(row.callers, row.p50_ms or 0.0, row.images_per_s) for row in rows),
        answers_as=agreement.name if agreement else None,
        difference=agreement.difference if agreement else None,
    )
