"""`--report out.html` for rows: one file with a table of the answers, and of the rows that failed; without a script."""

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import IO

from lit_infer import files
from lit_infer.folder import html_page
from lit_infer.folder.rows import html_spans
from lit_infer.folder.rows.answered import AnsweredBlock
from lit_infer.folder.table import Table
from lit_infer.tasks import Ask, Row, Shown
from lit_infer.tasks.token_classification import found_in

_ROWS = 2000
_ERRORS = 1000
_TEXT = " text"
"""Of a row for this page: the text that its spans are in. No column of an output is called so."""
_SHOWN = 200
"""Characters of a value that was carried over."""
_STYLE = (
    html_page.STYLE
    + """
td { vertical-align: top; font-variant-numeric: tabular-nums; }
thead th { position: sticky; top: 0; background: var(--paper); }
td meter { width: 6rem; } td.soft { color: var(--soft); }
"""
    + html_spans.STYLE
)


def write(
    blocks: Callable[[], Iterable[AnsweredBlock]], report: Path, *, table: Table, ask: Ask, summary: Sequence[str]
) -> None:
    """Write the page; it appears when it is whole. `summary`: lines above the tables."""
    counts = [(block.count, len(block.errors)) for block in blocks()]
    count, failed = sum(one for one, _ in counts), sum(one for _, one in counts)
    with files.atomic_text(report) as file:
        file.write(_head(table.model, count, failed, summary))
        shown = _write_table(file, _rows(blocks(), table, ask, failed=False), table)
        if shown < count - failed:
            file.write(f"<p>This page holds the first {shown:,} of {count - failed:,} rows; the output has all.</p>\n")
        if failed:
            _write_errors(file, _rows(blocks(), table, ask, failed=True), failed)
        file.write("</main>\n</html>\n")


def _rows(blocks: Iterable[AnsweredBlock], table: Table, ask: Ask, *, failed: bool) -> Iterator[Row]:
    left = _ERRORS if failed else _ROWS
    for block in blocks:
        if left <= 0:
            return
        wanted = [row for row, is_failed in enumerate(block.failed.tolist()) if is_failed == failed][:left]
        left -= len(wanted)
        rows = block.rows(table, ask, wanted)
        if table.task.kind == "spans" and not failed and block.arrays:
            found = found_in(block.arrays)
            yield from ({**row, _TEXT: found[place]["text"]} for row, place in zip(rows, wanted, strict=True))
        else:
            yield from rows


def _head(model: str, count: int, failed: int, summary: Sequence[str]) -> str:
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'"
    bad = f', <a class="bad" href="#errors">{failed:,} failed</a>' if failed else ""
    said = "".join(f"<p>{escape(line)}</p>\n" for line in summary)
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Predictions of {escape(model)}</title>\n<style>{_STYLE}</style>\n"
        f"<header><h1>Predictions of {escape(model)}</h1>\n<p>{count:,} rows{bad}.</p>\n{said}</header>\n<main>\n"
    )


def _write_table(file: IO[str], rows: Iterator[Row], table: Table) -> int:
    has_score = table.task.headings[1] != ""
    heads = ["row", *table.kept, table.task.headings[0], *(["score", ""] if has_score else [])]
    if table.task.headings[2]:
        heads.append(table.task.headings[2])
    file.write(
        '<div class="scroll"><table>\n<thead><tr>'
        + "".join(f"<th>{escape(head)}" for head in heads)
        + "</tr></thead><tbody>\n"
    )
    shown = 0
    for row in rows:
        shown += 1
        answer = table.show(row)
        cells = [_cell(_origin(row), "soft"), *(_cell(_text(row[name])) for name in table.kept)]
        if _TEXT in row:
            cells.append(f'<td class="spans">{html_spans.marked(row[_TEXT], row["spans"], row["unseen"])}')
        else:
            cells.append(_cell(answer.title or "no label"))
        if has_score:
            score = answer.score or 0.0
            cells += [_cell(f"{score:.1%}"), f'<td><meter value="{score:.4f}" aria-label="confidence"></meter>']
        if table.task.headings[2]:
            cells.append(_cell(_others(answer), "soft"))
        file.write(f"<tr>{''.join(cells)}</tr>\n")
    file.write("</tbody></table></div>\n")
    return shown


def _others(answer: Shown) -> str:
    return "  ".join(f"{name} {number:.1%}" for name, number in answer.details[answer.in_title :])


def _write_errors(file: IO[str], rows: Iterator[Row], failed: int) -> None:
    file.write(f'<h2 id="errors">{failed:,} failed</h2><div class="scroll"><table>\n')
    file.write("<thead><tr><th>row<th>code<th>error</tr></thead><tbody>\n")
    shown = 0
    for row in rows:
        shown += 1
        file.write(f"<tr>{_cell(_origin(row), 'soft')}{_cell(row['code'])}{_cell(row['error'])}</tr>\n")
    file.write("</tbody></table></div>\n")
    if shown < failed:
        file.write(f"<p>Only the first {shown:,} are listed; the output has all.</p>\n")


def _origin(row: Row) -> str:
    return str(row["path"]) if row["row"] is None else f"{row['path']} {row['row']}"


def _text(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _cell(text: str, kind: str = "") -> str:
    plain = text.encode(errors="backslashreplace").decode()
    return f'<td class="{kind}">{escape(plain)}' if kind else f"<td>{escape(plain)}"
