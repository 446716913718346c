"""An export's result for a terminal. Pure: nothing here prints."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from lit_export.pipeline import Bundle
from lit_infer.manifest import Graph


def graphs_table(graphs: Sequence[Graph]) -> Table:
    """One row per graph: status, size, parity."""
    table = Table("format", "status", box=None, pad_edge=False)
    for name in ("size", "max diff", "top-1"):
        table.add_column(name, justify="right")
    table.add_column("file")
    for graph in graphs:
        if graph.parity is None:
            table.add_row(graph.format, "[red]failed[/red]", "", "", "", "")
            continue
        size = f"{(graph.bytes or 0) / 1e6:.2f} MB"
        agreement = graph.parity.top1_agreement
        parity = (f"{graph.parity.max_abs:.1e}", "" if agreement is None else f"{agreement:.0%}")
        table.add_row(graph.format, "[green]ok[/green]", size, *parity, escape(graph.file or ""))
    return table


def failures(bundle: Bundle) -> list[str]:
    """Why each graph failed that did; its file was deleted."""
    return [f"{graph.format} failed and was deleted: {graph.reason}" for graph in bundle.failed]


def ending(bundle: Bundle) -> list[str]:
    """What was made, where, and the next commands."""
    if bundle.folder is None:
        return ["no graph passed its checks, so no bundle was written"]
    lines = [f"saved to {bundle.folder}"]
    if bundle.reference is not None:
        lines.append(f"published as {bundle.reference}")
    return [*lines, f"next: lit-infer images/ --model {bundle.folder}", f"      lit-bench --model {bundle.folder}"]
