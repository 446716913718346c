"""`--report out.html`: one file with thumbnails, labels and confidences to look through, and the errors.

The page needs nothing but itself, and works from a disk. Only so many thumbnails go into it: a million would
make a file that no browser opens.
"""

import base64
import io
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import IO

import msgspec
from PIL import Image, ImageOps

from lit_infer import files
from lit_infer.folder import confusion, html_boxes, html_confusion, html_layers, html_masks, html_page, html_points
from lit_infer.folder.confusion import Confused
from lit_infer.folder.partial import Entry, Growing
from lit_infer.folder.table import Table
from lit_infer.images import FORMATS
from lit_infer.tasks import Reading, Row, Shown

_SIDE, _SIDE_BESIDE = 200, 80
_ERRORS = 1000


class Thumbnails:
    """`thumbnails.jsonl`: small copies of the first images that could be read, and of as many that seem wrong."""

    def __init__(self, folder: Path, table: Table, *, most: int, turns: bool = False) -> None:
        """`turns`: whether the model sees images turned upright, so that its masks lie over such ones."""
        self._table, self._turns = table, turns
        self._file = Growing(folder / "thumbnails.jsonl")
        self.most = most
        self._made = self._later = 0

    def count(self) -> int:
        """It never has less than the rows: it reaches the disk before them."""
        return sys.maxsize

    def keep(self, rows: int) -> None:
        """Cut the file behind that many rows."""
        size = self._made = self._later = 0
        with self._file.path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n") or (found := json.loads(line))["row"] >= rows:
                    break
                size += len(line)
                self._later += found.get("later", False)
                self._made += not found.get("later", False)
        self._file.cut(size)

    def add(self, entry: Entry) -> None:
        """Make a small copy, while there is room for more."""
        if entry.prediction.error is not None:
            return
        truth = entry.loaded.item.truth
        is_later = self._made >= self.most
        if is_later and not (self._later < self.most and confusion.seems_wrong(self._table, entry.row, truth)):
            return
        self._later += is_later
        self._made += not is_later
        source, size = _thumbnail(entry.loaded.image, turns=self._turns)
        line = {"row": entry.number, "source": source}
        line |= {"later": True} if is_later else {}
        line |= {"truth": truth} if truth is not None else {}
        kind = self._table.task.kind
        if size is not None and (over := html_layers.small(kind, entry.prediction.answer, size)) is not None:
            line["over"] = over
        if near := entry.row.get("nearest"):
            line["beside"] = [_thumbnail(Path(one["path"]), turns=self._turns, side=_SIDE_BESIDE)[0] for one in near]
        self._file.add(json.dumps(line).encode() + b"\n")

    def commit(self) -> None:
        """Write."""
        self._file.commit()

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def read(self, *, later: bool) -> Iterator["_Thumbnail"]:
        """In the order of the rows. `later`: also those that are there because they seemed wrong."""
        with self._file.path.open("rb") as file:
            for line in map(json.loads, file):
                if later or not line.pop("later", False):
                    yield msgspec.convert(line, _Thumbnail)


class _Thumbnail(msgspec.Struct, frozen=True):
    """Of an image; data URLs, which are empty where there is nothing."""

    row: int
    source: str
    over: str = ""
    beside: tuple[str, ...] = ()
    """Similar images."""
    truth: str | None = None
    """What the file beside it says it shows."""


def write(
    read_rows: Callable[[], Iterable[Row]],
    thumbnails: Thumbnails,
    report: Path,
    *,
    table: Table,
    confused: Confused | None = None,
    remarks: Sequence[str] = (),
) -> None:
    """Write the page; it appears when it is whole. What is known to be wrong comes first."""
    groups: Counter[str] = Counter()
    legend: dict[int, str] = {}
    drawing = _KINDS[table.task.kind]
    count = failed = 0
    for row in read_rows():
        count += 1
        failed += row["error"] is not None
        if row["error"] is None:
            groups.update(table.show(row).groups)
            if drawing.drawn:
                legend.update((one["index"], one["label"]) for one in row[drawing.drawn])
    with files.atomic_text(report) as file:
        file.write(_head(table.model, count, failed, remarks, drawing.details))
        known = "" if confused is None else html_confusion.controls(confused)
        file.write("" if confused is None else html_confusion.section(confused))
        file.write(_form(groups, drawing, html_masks.legend(legend, drawing.colour_of), known))
        file.write('<main><div id="cards">\n')
        source = None if confused is None else confused.source
        cards = _cards(read_rows(), thumbnails.read(later=confused is not None), table, source)
        shown = _write_cards(file, cards, report.parent, thumbnails.most, is_sorted=confused is not None)
        file.write("</div>\n")
        if shown < count - failed:
            first = "" if confused is None else ", beginning with those that are wrong"
            file.write(
                f"<p>This page holds the first {shown:,} of {count - failed:,} images{first}; the output has all.</p>\n"
            )
        if failed:
            _write_errors(file, read_rows(), failed)
        file.write(f"</main>\n<script>{html_page.SCRIPT}</script>\n</html>\n")


def _cards(
    rows: Iterable[Row], small: Iterator[_Thumbnail], table: Table, source: str | None
) -> Iterator[tuple[tuple[bool, float], str]]:
    """Cards with what they are sorted by: the wrong ones first, and of them those that the model was surest of."""
    wanted = next(small, None)
    drawing = _KINDS[table.task.kind]
    for number, row in enumerate(rows):
        if wanted is None:
            break
        if number == wanted.row:
            over = html_layers.over(wanted.over, drawing.layer)
            if drawing.over is not None:
                over += drawing.over(row, table.reading)
            picture = _picture(wanted.source, over) + html_layers.beside(row.get("nearest", []), wanted.beside)
            shown = table.show(row)
            truth = None if source is None else confusion.truths(table, row, wanted.truth)[source]
            is_wrong = truth is not None and truth != confusion.answered(table, row)
            place = (not is_wrong, -(shown.score or 0) if is_wrong else 0)
            yield place, _card(row["path"], picture, shown, drawing, truth=truth, is_wrong=is_wrong)
            wanted = next(small, None)


def _write_cards(
    file: IO[str], cards: Iterator[tuple[tuple[bool, float], str]], folder: Path, most: int, *, is_sorted: bool
) -> int:
    """How many there are; they are sorted on disk, in `folder`."""
    if not is_sorted:
        shown = 0
        for _, card in cards:
            file.write(card)
            shown += 1
        return shown
    with tempfile.TemporaryFile(dir=folder) as held:
        places = []
        for place, card in cards:
            start = held.tell()
            places.append((place, start, held.write(card.encode())))
        kept = sorted(places)[:most]
        for _, start, size in kept:
            held.seek(start)
            file.write(held.read(size).decode())
    return len(kept)


@dataclass(frozen=True)
class _Drawing:
    """How answers of a kind are drawn."""

    number: str
    """The format of a number next to its name."""
    groups: str
    """What the images can be filtered by; empty: nothing."""
    has_score: bool
    drawn: str = ""
    """The column of what is drawn over the pictures, in the colours of its classes; empty: nothing is."""
    controls: str = ""
    over: Callable[[Row, Reading], str] | None = None
    """What is drawn over a picture; None: its mask, if it has one."""
    colour_of: Callable[[int], list[int]] = html_masks.colour
    """The colour of a class."""
    details: str = "scores"
    """What the numbers are."""
    layer: str = ""
    """How a small picture lies over each image, a class of the style; empty: it is a mask of classes."""


_KINDS = {
    "classes": _Drawing("{:.1%}", "class", has_score=True),
    "labels": _Drawing("{:.1%}", "label", has_score=True),
    "values": _Drawing("{:.6g}", "", has_score=False),
    "vector": _Drawing("{:.6g}", "", has_score=False),
    "mask": _Drawing("{:.1%}", "class", has_score=True, drawn="areas", controls=html_masks.CONTROLS, details="shares"),
    "boxes": _Drawing(
        "{:.1%}",
        "class",
        has_score=True,
        drawn="boxes",
        controls=html_boxes.CONTROLS,
        over=lambda row, _: html_boxes.drawn(row),
        colour_of=html_boxes.colour,
    ),
    "instances": _Drawing(
        "{:.1%}",
        "class",
        has_score=True,
        drawn="boxes",
        controls=html_masks.CONTROLS + html_boxes.CONTROLS,
        over=lambda row, _: html_boxes.drawn(row),
        colour_of=html_boxes.colour,
    ),
    "points": _Drawing(
        "{:.1%}",
        "point",
        has_score=True,
        drawn="points",
        controls=html_points.CONTROLS,
        over=lambda row, reading: html_points.drawn(row, reading.facts.edges(reading.labels)),
        colour_of=html_boxes.colour,
    ),
    "image": _Drawing("{:.4g}", "", has_score=False, controls=html_layers.SPLIT, details="values", layer="split"),
    "anomaly": _Drawing("{:.4g}", "state", has_score=False, controls=html_layers.HEAT, details="score", layer="heat"),
    "tensors": _Drawing("{:.6g}", "", has_score=False),
}


def _picture(source: str, over: str) -> str:
    image = f'<img loading="lazy" alt="" src="{escape(source)}">'
    return f'<div class="picture">{image}{over}</div>' if over else image


def _card(path: str, picture: str, shown: Shown, drawing: _Drawing, *, truth: str | None, is_wrong: bool) -> str:
    others = "".join(f"<li>{escape(name)} {drawing.number.format(value)}</li>" for name, value in shown.details)
    title = escape(shown.title) if shown.title else "<i>no label</i>"
    groups = escape(json.dumps(shown.groups, ensure_ascii=False))
    score = shown.score or 0.0
    is_scored = drawing.has_score and shown.score is not None
    share = f'<span class="score">{score:.1%}</span>' if is_scored else ""
    meter = f'<meter value="{score:.4f}" aria-label="confidence"></meter>' if is_scored else ""
    summary = f'<summary tabindex="-1">{drawing.details}</summary>'
    details = f"<details>{summary}<ol>{others}</ol></details>" if others else ""
    known = "" if truth is None else f' data-truth="={escape(truth)}" data-right="{"wrong" if is_wrong else "right"}"'
    truly = f' <span class="bad">is {escape(truth or "")}</span>' if is_wrong else ""
    return (
        f'<figure tabindex="0" data-groups="{groups}" data-score="{score:.6f}"{known}>'
        f"{picture}<figcaption>{share}<b>{title}</b>{truly}{meter}"
        f'<span class="path">{escape(path)}</span>{details}</figcaption></figure>\n'
    )


def _head(model: str, count: int, failed: int, remarks: Sequence[str], details: str) -> str:
    said = "".join(f"<p>{escape(remark)}</p>\n" for remark in remarks)
    bad = f', <a class="bad" href="#errors">{failed:,} failed</a>' if failed else ""
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(html_page.policy())}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Predictions of {escape(model)}</title>\n<style>{html_page.STYLE}</style>\n"
        f"<header><h1>Predictions of {escape(model)}</h1>\n<p>{count:,} images{bad}. "
        f"Tab to an image, then arrow keys; Enter shows its {details}.</p>\n{said}</header>\n"
    )


def _form(groups: Counter[str], drawing: _Drawing, classes: str, known: str) -> str:
    def option(group: str, count: int) -> str:
        # The first character distinguishes the empty label from no choice.
        return f'<option value="={escape(group)}">{escape(group) or "(no label)"} ({count:,})</option>'

    options = "".join(option(group, count) for group, count in sorted(groups.items()))
    by_group = (
        f'<label>{drawing.groups}<select name="group"><option value="">all</option>{options}</select></label>'
        if drawing.groups
        else ""
    )
    legend = f' data-classes="{escape(classes)}"' if drawing.drawn else ""
    return (
        f"<form{legend}>{known}{by_group}{_BY_SCORE if drawing.has_score else ''}{_BY_PATH}{drawing.controls}</form>\n"
    )


_BY_SCORE = (
    '<label>least %<input name="least" type="number" min="0" max="100" step="any" inputmode="decimal"></label>'
    '<label>most %<input name="most" type="number" min="0" max="100" step="any" inputmode="decimal"></label>'
)
_BY_PATH = '<label>path<input name="text" type="search"></label><button type="reset">Reset</button><output></output>'


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
        file.write(f"<p>Only the first {shown:,} are listed; the output has all.</p>\n")


def _thumbnail(source: Path | bytes, *, turns: bool, side: int = _SIDE) -> tuple[str, tuple[int, int] | None]:
    """A data URL, small, and its (width, height); empty for a file that Pillow cannot read."""
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
            image.draft("RGB", (side, side))
            small = (ImageOps.exif_transpose(image) if turns else image).convert("RGB")
            small.thumbnail((side, side))
            file = io.BytesIO()
            small.save(file, "JPEG", quality=70)
    except Exception:  # a page without one picture is better than no page
        return "", None
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode(), small.size
