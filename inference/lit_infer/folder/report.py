"""Results for a terminal. Pure: nothing here prints."""

from collections.abc import Mapping
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from lit_infer.folder.tally import Summary

_MOST = 5  # classes or codes in a line


def predictions_table(summary: Summary, *, rows: int) -> Table:
    """The first rows of a run, errors before all else: among thousands they must not be missed."""
    table = Table("image", "label", "score", "next", box=None, pad_edge=False)
    for row in [*summary.first_failed, *summary.first][:rows]:
        path = escape(row["path"])
        if row["error"] is not None:
            table.add_row(path, "[red]error[/red]", "", f"[red]{escape(row['error'])}[/red]")
            continue
        others = "  ".join(f"{choice['label']} {choice['score']:.3f}" for choice in row["top"][1:3])
        score = "" if row["score"] is None else f"{row['score']:.3f}"
        table.add_row(path, escape(row["label"] or "-"), score, escape(others))
    return table


def summary_lines(summary: Summary, *, written: Mapping[str, Path | None]) -> list[str]:
    """What a run came to, in a few lines; `written` says which output is where."""
    lines = [_speed(summary)]
    if summary.labels:
        lines.append(f"classes: {_most_common(summary.labels)}")
    if summary.unlabelled:
        lines.append(f"below the threshold: {summary.unlabelled}")
    if summary.codes:
        lines.append(f"errors: {_most_common(summary.codes)}")
    if work := sum(summary.stages.values()):
        shares = ", ".join(f"{stage} {seconds / work:.0%}" for stage, seconds in summary.stages.items())
        lines.append(f"work: {shares}")
    if summary.accuracy:
        right, total = summary.accuracy
        lines.append(f"accuracy {right / total:.4f} ({right} of {total}; {summary.truth})")
    return lines + [f"{what} {path}" for what, path in written.items() if path is not None]


def _speed(summary: Summary) -> str:
    new = summary.count - summary.resumed
    speed = new / summary.seconds if summary.seconds else 0.0
    failed = f", {summary.failed} failed" if summary.failed else ""
    images = "image" if summary.count == 1 else "images"
    resumed = f" ({summary.resumed} were done before)" if summary.resumed else ""
    return f"{summary.count} {images}{resumed} in {summary.seconds:.2f} s, {speed:,.0f} images/s{failed}"


def _most_common(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda pair: -pair[1])
    more = f", and {len(ordered) - _MOST} more" if len(ordered) > _MOST else ""
    return ", ".join(f"{name} {count}" for name, count in ordered[:_MOST]) + more
