"""`--report out.html`: one file with thumbnails, labels and confidences to look through, and the errors.

The page needs nothing but itself, and works from a disk. Only so many thumbnails go into it: a million would
make a file that no browser opens.
"""

import base64
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from html import escape
from pathlib import Path
from typing import IO

from PIL import Image

from lit_infer import files
from lit_infer.folder import html_page
from lit_infer.folder.partial import Entry, Growing
from lit_infer.folder.writers import Row
from lit_infer.images import FORMATS

_SIDE = 200
_ERRORS = 1000


class Thumbnails:
    """`thumbnails.jsonl`: small copies of the first images that could be read."""

    def __init__(self, folder: Path, *, most: int) -> None:
        self._file = Growing(folder / "thumbnails.jsonl")
        self._most = most
        self._made = 0

    def count(self) -> int:
        """It never has less than the rows: it reaches the disk before them."""
        return sys.maxsize

    def keep(self, rows: int) -> None:
        """Cut the file behind that many rows."""
        size = self._made = 0
        with self._file.path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n") or json.loads(line)["row"] >= rows:
                    break
                size += len(line)
                self._made += 1
        self._file.cut(size)

    def add(self, entry: Entry) -> None:
        """Make a small copy, while there is room for more."""
        if entry.prediction.error is not None or self._made >= self._most:
            return
        self._made += 1
        line = {"row": entry.number, "source": _thumbnail(entry.loaded.image)}
        self._file.add(json.dumps(line).encode() + b"\n")

    def commit(self) -> None:
        """Write."""
        self._file.commit()

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def read(self) -> Iterator[tuple[int, str]]:
        """Row numbers and images as data URLs; an empty one where none could be made."""
        with self._file.path.open("rb") as file:
            for line in map(json.loads, file):
                yield line["row"], line["source"]


def write(read_rows: Callable[[], Iterable[Row]], thumbnails: Thumbnails, report: Path, *, model: str) -> None:
    """Write the page; it appears when it is whole."""
    labels: Counter[str] = Counter()
    count = failed = 0
    for row in read_rows():
        count += 1
        failed += row["error"] is not None
        if row["error"] is None:
            labels[row["label"] or ""] += 1
    with files.atomic_text(report) as file:
        file.write(_head(model, count, failed))
        file.write(_form(labels))
        file.write('<main><div id="cards">\n')
        shown = _write_cards(file, read_rows(), thumbnails)
        file.write("</div>\n")
        if shown < count - failed:
            file.write(
                f"<p>This page holds the first {shown:,} of {count - failed:,} images; the output has all.</p>\n"
            )
        if failed:
            _write_errors(file, read_rows(), failed)
        file.write(f"</main>\n<script>{html_page.SCRIPT}</script>\n</html>\n")


def _write_cards(file: IO[str], rows: Iterable[Row], thumbnails: Thumbnails) -> int:
    shown = 0
    small = thumbnails.read()
    wanted = next(small, None)
    for number, row in enumerate(rows):
        if wanted is None:
            break
        if number == wanted[0]:
            file.write(_card(row, wanted[1]))
            shown += 1
            wanted = next(small, None)
    return shown


def _card(row: Row, source: str) -> str:
    label, score = row["label"] or "", row["score"] or 0.0
    others = "".join(f"<li>{escape(choice['label'])} {choice['score']:.1%}</li>" for choice in row["top"])
    name = escape(label) if label else "<i>no label</i>"
    return (
        f'<figure tabindex="0" data-label="{escape(label)}" data-score="{score:.6f}">'
        f'<img loading="lazy" alt="" src="{escape(source)}">'
        f'<figcaption><span class="score">{score:.1%}</span><b>{name}</b>'
        f'<meter value="{score:.4f}" aria-label="confidence"></meter>'
        f'<span class="path">{escape(row["path"])}</span>'
        f'<details><summary tabindex="-1">scores</summary><ol>{others}</ol></details></figcaption></figure>\n'
    )


def _head(model: str, count: int, failed: int) -> str:
    bad = f', <a class="bad" href="#errors">{failed:,} failed</a>' if failed else ""
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(html_page.policy())}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Predictions of {escape(model)}</title>\n<style>{html_page.STYLE}</style>\n"
        f"<header><h1>Predictions of {escape(model)}</h1>\n<p>{count:,} images{bad}. "
        "Tab to an image, then arrow keys; Enter shows its scores.</p></header>\n"
    )


def _form(labels: Counter[str]) -> str:
    def option(label: str, count: int) -> str:
        # The first character tells the empty label from no choice.
        return f'<option value="={escape(label)}">{escape(label) or "(no label)"} ({count:,})</option>'

    options = "".join(option(label, count) for label, count in sorted(labels.items()))
    return (
        f'<form><label>class<select name="label"><option value="">all</option>{options}</select></label>'
        '<label>least %<input name="least" type="number" min="0" max="100" step="any" inputmode="decimal"></label>'
        '<label>most %<input name="most" type="number" min="0" max="100" step="any" inputmode="decimal"></label>'
        '<label>path<input name="text" type="search"></label>'
        '<button type="reset">Reset</button><output></output></form>\n'
    )


def _write_errors(file: IO[str], rows: Iterable[Row], failed: int) -> None:
    file.write(f'<h2 id="errors">{failed:,} failed</h2><div class="scroll"><table>\n')
    file.write("<thead><tr><th>image<th>code<th>error</tr></thead><tbody>\n")
    shown = 0
    for row in rows:
        if row["error"] is not None and shown < _ERRORS:
            shown += 1
            file.write(f"<tr>{''.join(f'<td>{escape(row[name])}' for name in ('path', 'code', 'error'))}</tr>\n")
    file.write("</tbody></table></div>\n")
    if shown < failed:
        file.write(f"<p>These are the first {shown:,}; the output has all.</p>\n")


def _thumbnail(source: Path | bytes) -> str:
    """A data URL, small; empty for what Pillow declines."""
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
            image.draft("RGB", (_SIDE, _SIDE))
            small = image.convert("RGB")
            small.thumbnail((_SIDE, _SIDE))
            file = io.BytesIO()
            small.save(file, "JPEG", quality=70)
    except Exception:  # a page without one picture is better than no page
        return ""
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
