"""Results as tables for a terminal. Pure: nothing here prints."""

from rich.markup import escape
from rich.table import Table

from lit_infer.folder import Summary
from lit_infer.manifest import Manifest


def predictions_table(summary: Summary, *, rows: int) -> Table:
    """The first rows of a run, errors before all else: among thousands they must not be missed."""
    table = Table("image", "label", "score", "next", box=None, pad_edge=False)
    read = [prediction for prediction in summary.predictions if prediction.error is None]
    for prediction in [*summary.failed, *read][:rows]:
        path = escape(prediction.path or "")
        if prediction.error is not None:
            table.add_row(path, "[red]error[/red]", "", f"[red]{escape(prediction.error)}[/red]")
            continue
        others = "  ".join(f"{choice.label} {choice.score:.3f}" for choice in prediction.top[1:3])
        table.add_row(path, escape(prediction.label or ""), f"{prediction.score:.3f}", escape(others))
    return table


def summary_lines(summary: Summary, manifest: Manifest) -> list[str]:
    """What a run came to, in a few lines."""
    count = len(summary.predictions)
    speed = count / summary.seconds if summary.seconds else 0.0
    failed = f", {len(summary.failed)} failed" if summary.failed else ""
    lines = [f"{count} {'image' if count == 1 else 'images'} in {summary.seconds:.2f} s, {speed:,.0f} images/s{failed}"]
    if accuracy := summary.accuracy(manifest.labels):
        right, total = accuracy
        lines.append(f"accuracy {right / total:.4f} ({right} of {total}; the folders' names are the labels)")
    if summary.output is not None:
        lines.append(f"written to {summary.output}")
    return lines
