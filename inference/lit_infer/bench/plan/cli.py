"""`lit-bench plan MEASURED.json`: how many servers a load needs."""

import json
import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from lit_infer import console
from lit_infer.bench import options
from lit_infer.errors import UsageError

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)

_EXAMPLES = """Examples:

\b
  lit-bench my-bundle --threads 1 --from photos/ --seconds 5 --json > measured.json
  lit-bench plan measured.json --rate 2000 --p99 80ms
  lit-bench plan measured.json --rate 2000 --p99 80ms --arrivals bursty --cores 4 --on c7i.xlarge=0.17
"""

_MEASURED = "What lit-bench --threads 1 --json has written: the times of a batch on one core."
_ON = "A machine's name and its price per hour, such as c7i.xlarge=0.17."


@app.command(epilog=_EXAMPLES)
def plan(
    measured: Annotated[Path, typer.Argument(metavar="MEASURED.json", help=_MEASURED)],
    rate: Annotated[float, typer.Option(min=0.001, help="Requests of one image per second, on average.")],
    p99: Annotated[str, typer.Option(metavar="TIME", help="Within which 99 % are to be answered, such as 80ms.")],
    arrivals: Annotated[
        Literal["poisson", "bursty", "diurnal"], typer.Option(help="How the requests are spread over time.")
    ] = "poisson",
    cores: Annotated[int, typer.Option(min=1, help="Cores of a server; each runs batches of its own.")] = 1,
    queue: Annotated[int, typer.Option(min=1, help="lit-serve --max-queue.")] = 1024,
    on: Annotated[str | None, typer.Option(metavar="NAME=PRICE", help=_ON)] = None,
    seed: Annotated[int, typer.Option(help="Of the random numbers; the same seed gives the same plan.")] = 0,
    as_json: options.Json = False,
) -> None:
    """Simulate servers under a load, with measured times: how many are needed, and which batch and delay.

    A simulation knows the queue, the batches and the cores of a server. It does not know the network, nor how much
    cores slow each other down: measure one server under its share of the load before you rely on it.
    """
    from lit_infer.bench.plan import planning, report, service
    from lit_infer.server.cli import seconds

    bound, price = seconds(p99, "--p99"), None if on is None else _price(on)
    times, data = service.read(measured)
    demand = planning.Demand(rate=rate, p99=bound, arrivals=arrivals, workers=cores, queue=queue, seed=seed)
    lines = planning.plan(times, demand)
    if as_json:
        found = [report.as_data(line, demand, price) for line in lines]
        typer.echo(json.dumps({"model": data.get("identity"), "demand": vars(demand), "plan": found}, indent=2))
        return
    console.out.print(report.table(lines, demand, price))
    for line in report.notes(lines, demand, on):
        console.note(line)


def _price(text: str) -> float:
    """Per hour. Raises UsageError."""
    found = re.fullmatch(r"[^=]+=(\d+(?:\.\d+)?)", text)
    if found is None:
        raise UsageError(f"--on {text}: write a name and a price per hour, as in c7i.xlarge=0.17")
    return float(found[1])
