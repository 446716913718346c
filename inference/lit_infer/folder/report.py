"""Results for a terminal. Pure: nothing here prints."""

from collections.abc import Mapping
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from lit_infer.folder import remarks
from lit_infer.folder.tally import Summary
from lit_infer.tasks import Row
from lit_infer.tasks.choices import most_common


def predictions_table(summary: Summary, *, rows: int) -> Table:
    """The first rows of a run, errors first: among thousands they must not be missed."""
    head = (summary.table.nouns[0], *summary.table.headings)
    shown = [*summary.first_failed, *(summary.first if summary.table.has_answers else ())]
    cells = [_cells(row, summary) for row in shown[:rows]]
    columns = [index for index, name in enumerate(head) if name or any(row[index] for row in cells)]
    table = Table(*(head[index] for index in columns), box=None, pad_edge=False)
    for row in cells:
        table.add_row(*(row[index] for index in columns))
    return table


def _cells(row: Row, summary: Summary) -> tuple[str, str, str, str]:
    """A row's path, title, score and what comes next, as markup."""
    path = escape(row["path"] if row.get("row") is None else f"{row['path']} {row['row']}")
    if row["error"] is not None:
        return path, "[red]error[/red]", "", f"[red]{escape(row['error'])}[/red]"
    shown = summary.show(row)
    next_best = shown.details[shown.in_title : shown.in_title + 2]
    others = "  ".join(f"{name} {number:.3f}" for name, number in next_best)
    return path, escape(shown.title or "-"), "" if shown.score is None else f"{shown.score:.3f}", escape(others)


def summary_lines(summary: Summary, *, written: Mapping[str, Path | None]) -> list[str]:
    """The result of a run, in a few lines; `written` says where each output is."""
    lines = [_speed(summary), *summary.answers.lines()]
    if summary.codes:
        lines.append(f"errors: {most_common(summary.codes)}")
    lines += remarks.lines(summary.skipped, summary.notes, of_rows=not summary.table.task.takes_images)
    if work := sum(summary.stages.values()):
        is_full = summary.table.task.takes_images  # rows have no stages of their own between reading and the graph
        stages = [(stage, seconds) for stage, seconds in summary.stages.items() if seconds or is_full]
        shares = ", ".join(f"{stage} {seconds / work:.0%}" for stage, seconds in stages)
        lines.append(f"work: {shares}")
    if verdict := summary.answers.verdict():
        lines.append(verdict)
    return lines + [f"{what} {path}" for what, path in written.items() if path is not None]


def _speed(summary: Summary) -> str:
    new = summary.count - summary.resumed
    speed = new / summary.seconds if summary.seconds else 0.0
    failed = f", {summary.failed} failed" if summary.failed else ""
    one, many = summary.table.nouns
    images = one if summary.count == 1 else many
    resumed = f" ({summary.resumed} were done before)" if summary.resumed else ""
    return f"{summary.count} {images}{resumed} in {summary.seconds:.2f} s, {speed:,.0f} {many}/s{failed}"
