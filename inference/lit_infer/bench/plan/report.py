"""A plan for a terminal and as data. Pure: nothing here prints."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from lit_infer.bench.plan.planning import Demand, PlanLine


def as_data(line: PlanLine, demand: Demand, price: float | None) -> dict[str, Any]:
    """One number of servers, for JSON."""
    found, policy = line.simulated, line.policy
    data = {
        "servers": line.servers,
        "keeps": line.keeps(demand),
        "max_batch": policy.max_batch,
        "max_delay_ms": policy.max_delay * 1e3,
        "load": line.load,
        "busy": found.busy,
        "mean_batch": found.batch,
        "p50_ms": found.percentile(50) * 1e3,
        "p99_ms": found.percentile(99) * 1e3,
        "refused": found.refused / (found.refused + len(found.latencies)),
    }
    return data if price is None else {**data, "cost_per_million": _cost(line, demand, price)}


def table(lines: Sequence[PlanLine], demand: Demand, price: float | None) -> Table:
    """A row for each number of servers."""
    names = ["servers", "max batch", "max delay", "busy", "batch", "p50", "p99", "refused", ""]
    shown = Table(*names[:-1], *(["per million"] if price is not None else []), "", box=None, pad_edge=False)
    for line in lines:
        data = as_data(line, demand, price)
        shown.add_row(
            str(line.servers),
            str(line.policy.max_batch),
            f"{data['max_delay_ms']:g} ms",
            f"{data['busy']:.0%}",
            f"{data['mean_batch']:.1f}",
            f"{data['p50_ms']:.3g} ms",
            f"{data['p99_ms']:.3g} ms",
            f"{data['refused']:.1%}",
            *([f"{data['cost_per_million']:.2f}"] if price is not None else []),
            _verdict(line, demand),
        )
    return shown


def _verdict(line: PlanLine, demand: Demand) -> str:
    if line.load >= 1:
        return "overloaded"
    if line.simulated.refused:
        return "refuses"
    return "" if line.keeps(demand) else "too slow"


def notes(lines: Sequence[PlanLine], demand: Demand, on: str | None) -> list[str]:
    """What follows, and how far to trust it."""
    first = next(line for line in lines if line.keeps(demand))
    servers = "1 server" if first.servers == 1 else f"{first.servers} servers"
    cores = "1 core" if demand.workers == 1 else f"{demand.workers} cores"
    options = f"--max-batch {first.policy.max_batch} --max-delay {first.policy.max_delay * 1e3:g}ms"
    where = "" if on is None else f" on {on.partition('=')[0]}"
    return [
        f"{servers} of {cores}{where} with lit-serve {options} keep p99 within {demand.p99 * 1e3:g} ms "
        f"at {demand.rate:g} requests/s ({demand.arrivals})",
        "note: simulated. Network, and cores that slow each other down, are not in it: try one server with "
        f"lit-bench --url … --scenario server --rate {demand.rate / first.servers:.4g}",
    ]


def _cost(line: PlanLine, demand: Demand, price: float) -> float:
    """Of a million requests at the mean rate, in the price's currency."""
    return line.servers * price / 3600 / demand.rate * 1e6
