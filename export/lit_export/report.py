"""An export's result for a terminal. Pure: nothing here prints."""

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from lit_export.bundle_folder import Bundle
from lit_export.formats import FORMATS
from lit_infer.manifest import Graph, Manifest, Proof
from lit_infer.proof_words import HARDLY_VARY
from lit_infer.rows.answering import has_rows, rows_file


def graphs_table(graphs: Sequence[Graph], proof: Proof | None = None) -> Table:
    """One row per graph: status, size, parity, score, speed. Scores have a column if they were measured.

    A graph whose outputs hardly vary is `compared`, and not `ok`: the comparison shows little.
    """
    passed = "[green]ok[/green]" if proof is None or proof.varies else "[yellow]compared[/yellow]"
    scored = any(graph.score for graph in graphs)
    table = Table("format", "status", box=None, pad_edge=False)
    for name in ("MB", "max diff", "agree", *(("score",) if scored else ()), "ms/input"):
        table.add_column(name, justify="right")
    table.add_column("file")
    for graph in graphs:
        if graph.parity is None:
            table.add_row(graph.label, "[red]failed[/red]")
            continue
        agreement = graph.parity.agreement
        cells = [
            f"{(graph.bytes or 0) / 1e6:.2f}",
            f"{graph.parity.max_abs:.1e}",
            "" if agreement is None else f"{agreement:.0%}",
            *((f"{graph.score.value:.4f}" if graph.score else "",) if scored else ()),
            f"{graph.latency.ms:.2f}" if graph.latency else "",
        ]
        table.add_row(graph.label, passed, *cells, escape(graph.file or ""))
    return table


def failures(bundle: Bundle) -> list[str]:
    """Why each failed graph failed; its file is gone."""
    return [f"{graph.label} failed, no file is kept: {graph.reason}" for graph in bundle.failed]


def scores(bundle: Bundle) -> list[str]:
    """The scores to compare a graph's own with: the eager module's on the same images, and the recorded one."""
    lines = []
    noun = "images" if bundle.manifest.spec.takes_images else "rows"
    measured = next((graph.score for graph in bundle.attempted if graph.score), None)
    if measured:
        lines.append(f"eager module: {measured.metric} {measured.eager:.4f} on {measured.images} labelled {noun}")
    for graph in bundle.attempted:
        if graph.score and graph.score.also:
            also = ", ".join(f"{name} {value:.4f}" for name, value in graph.score.also.items())
            lines.append(f"{graph.label}: {also}")
    if recorded := bundle.manifest.source.score:
        lines.append(f"the checkpoint recorded {recorded.monitor} {recorded.value:.4f}")
    return lines


def ending(bundle: Bundle) -> list[str]:
    """What was made, where, and the next commands."""
    if bundle.folder is None:
        return ["no graph passed its checks, so no bundle was written"]
    lines = [*_shown(bundle), f"results saved to {bundle.folder}"]
    if bundle.reference is not None:
        lines.append(f"published as {bundle.reference}")
    model = f"--model {bundle.folder}"
    lines.append(f"predict with: {predicting(bundle.manifest, bundle.folder)}")
    lines.append(f"measure with: lit-bench {model}")
    lines.append(f"serve with:   lit-serve {bundle.folder}")
    return [*lines, *_viewer(bundle.folder, bundle.manifest.ok_graphs())]


def _shown(bundle: Bundle) -> list[str]:
    """What is true of all graphs of a bundle that hardly vary, once more where it is read last."""
    proof = bundle.manifest.proof
    return [f"compared, and not proven: {HARDLY_VARY}"] if proof is not None and not proof.varies else []


def _viewer(folder: Path, graphs: Sequence[Graph]) -> list[str]:
    """The command that displays the first graph that has one."""
    drawn = ((FORMATS[graph.format].viewer, graph.file) for graph in graphs)
    return [f"view with:    {viewer} {folder / file}" for viewer, file in drawn if viewer and file][:1]


def predicting(described: Manifest, folder: Path) -> str:
    """The line that predicts with a bundle: from image files, from a file of rows, or from Python."""
    if described.image_names:
        return f"lit-infer pairs.csv --model {folder}"
    if described.spec.takes_images:
        return f"lit-infer images/ --model {folder}"
    if has_rows(described):
        return f"lit-infer {rows_file(described)} --model {folder}"
    names = ", ".join(f'"{tensor.name}": array' for tensor in described.inputs)
    return f'lit_infer.load("{folder}").run({{{names}}})'
