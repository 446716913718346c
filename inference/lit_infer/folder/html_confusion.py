"""What was taken for what, in the HTML report: a matrix of few classes, and the most frequent mistakes of many."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from lit_infer.folder.confusion import Confused

_MATRIX = 30
"""Classes of the largest matrix."""
_OPEN = 12
"""And of the largest one that is seen at once."""
_SHORT = 6
"""Letters of a name that stands upright above its column."""
_LISTED, _BESIDE = 20, 8
"""Mistakes in a table; beside a matrix, which has all, fewer."""
_LEVELS = 5
"""Shades of a cell, by its share of its line."""


def section(found: Confused) -> str:
    """A part of the page, folded up where it is large."""
    classes = _in_order(found)
    wrong = sum(count for _, count in found.wrong)
    is_small = len(classes) <= _MATRIX
    parts = [_matrix(found, classes)] if is_small else []
    parts += [_pairs(found, _BESIDE if is_small else _LISTED)] if wrong else []
    parts += [_worst(found)] if wrong and not is_small else []
    is_open = " open" if wrong and len(classes) <= _OPEN else ""
    return (
        f'<details class="confusion"{is_open}><summary>{wrong:,} of {found.count:,} wrong</summary>\n'
        f'<div class="parts">\n{"".join(parts)}</div></details>\n'
    )


def controls(found: Confused) -> str:
    """What cards can be filtered by."""
    wrong = sum(count for _, count in found.wrong)
    lines: Counter[str] = Counter()
    for (truth, _), count in found.pairs.items():
        lines[truth] += count
    truths = "".join(
        f'<option value="={escape(name)}">{escape(name)} ({lines[name]:,})</option>' for name in sorted(lines)
    )
    return (
        f'<label>answers<select name="right"><option value="">all</option><option value="wrong">wrong ({wrong:,})'
        f'</option><option value="right">right ({found.count - wrong:,})</option></select></label>'
        f'<label>truly<select name="truth"><option value="">all</option>{truths}</select></label>'
    )


def _in_order(found: Confused) -> list[str]:
    """The classes that occur, in the model's order; no answer comes last."""
    seen = {name for pair in found.pairs for name in pair}
    return [name for name in found.names if name in seen] + ([""] if "" in seen else [])


def _matrix(found: Confused, classes: Sequence[str]) -> str:
    truths = [name for name in classes if any(found.pairs[name, answer] for answer in classes)]
    kind = ' class="long"' if any(len(name) > _SHORT for name in classes) else ""
    head = "".join(f'<th scope="col"{kind}><span>{_name(name)}</span>' for name in classes)
    lines = [_line(found.pairs, truth, classes) for truth in truths]
    return (
        '<div class="scroll"><table class="matrix"><caption>Down: what an image shows. Across: what was answered.'
        f'</caption>\n<thead><tr><td>{head}<th scope="col"><span>right</span></tr></thead>\n<tbody>{"".join(lines)}'
        "</tbody></table></div>\n"
    )


def _line(pairs: Mapping[tuple[str, str], int], truth: str, classes: Sequence[str]) -> str:
    total = sum(pairs[truth, answer] for answer in classes)
    cells = [_cell(pairs[truth, answer], total, truth, answer) for answer in classes]
    share = f'<td class="share">{pairs[truth, truth] / total:.1%}'
    return f'<tr><th scope="row">{_name(truth)}{"".join(cells)}{share}</tr>\n'


def _cell(count: int, total: int, truth: str, answer: str) -> str:
    if not count:
        return "<td>"
    level = -(-_LEVELS * count // total)  # at least 1: what is there is seen
    return f'<td class="{"right" if truth == answer else "wrong"} level{level}">{_button(truth, answer, f"{count:,}")}'


def _pairs(found: Confused, most: int) -> str:
    lines: Counter[str] = Counter()
    for (truth, _), count in found.pairs.items():
        lines[truth] += count
    rows = [
        (_name(truth), _name(answer), _button(truth, answer, f"{count:,}"), f"{count / lines[truth]:.1%}")
        for (truth, answer), count in found.wrong[:most]
    ]
    more = len(found.wrong) - len(rows)
    return _table("taken for another", ("is", "taken for", "images", "of its own"), rows, f"{more:,} more pairs")


def _worst(found: Confused) -> str:
    """The classes that are found least often; of two that are alike the larger one first."""
    lines: dict[str, list[int]] = {}
    for (truth, answer), count in found.pairs.items():
        right = lines.setdefault(truth, [0, 0])
        right[0] += count if truth == answer else 0
        right[1] += count
    ordered = sorted(lines.items(), key=lambda one: (one[1][0] / one[1][1], -one[1][1]))
    worse = [(name, right, total) for name, (right, total) in ordered if right < total]
    rows = [(_name(name), f"{right:,} of {total:,}", f"{right / total:.1%}") for name, right, total in worse[:_LISTED]]
    return _table("found least often", ("is", "right", ""), rows, f"{len(worse) - len(rows):,} more classes")


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]], left_out: str) -> str:
    head = "".join(f'<th scope="col">{one}' for one in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}' for cell in row)}</tr>\n" for row in rows)
    more = "" if left_out.startswith("0 ") else f"<p>and {left_out}</p>"
    return (
        f"<div><table><caption>{title}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>{body}</tbody></table>{more}</div>\n"
    )


def _button(truth: str, answer: str, text: str) -> str:
    """Shows the images of a pair."""
    taken_for = f"taken for {answer}" if answer else "without a label"
    title = f"{truth}, rightly" if truth == answer else f"{truth} {taken_for}"
    return (
        f'<button type="button" title="{escape(title)}" data-truth="={escape(truth)}" data-answer="={escape(answer)}">'
        f"{text}</button>"
    )


def _name(name: str) -> str:
    return escape(name) or "<i>no label</i>"
