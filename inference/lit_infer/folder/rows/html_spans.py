"""A text with its spans highlighted, for the report of rows."""

import zlib
from collections.abc import Sequence
from html import escape

from lit_infer.tasks import Row

_COLOURS = 8
_MOST = 4000
"""Characters of a text that are shown."""

STYLE = """
td.spans { white-space: pre-wrap; min-width: 24rem; line-height: 1.9; }
mark { color: inherit; border-radius: 4px; padding: .1rem .25rem; } mark small { color: var(--soft); }
""" + "".join(
    f"mark.tag{number} {{ background: hsl({number * 360 // _COLOURS} 85% 50% / .25); }}\n" for number in range(_COLOURS)
)


def marked(text: str, spans: Sequence[Row], unseen: int) -> str:
    """HTML of the text. Of spans that overlap, the first one has the characters that are in both."""
    parts, at = [], 0
    for span in spans:
        start, end = max(at, span["start"]), min(span["end"], _MOST)
        if start >= end:
            continue
        title = _text(f"{span['label']} {span['score']:.1%}")
        label, kind = _text(span["label"]), zlib.crc32(span["label"].encode()) % _COLOURS
        parts.append(_text(text[at:start]))
        parts.append(f'<mark class="tag{kind}" title="{title}">{_text(text[start:end])} <small>{label}</small></mark>')
        at = end
    rest = f"… ({len(text) - _MOST:,} characters more)" if len(text) > _MOST else ""
    cut = f' <small class="bad">{unseen:,} characters were not seen by the model</small>' if unseen else ""
    return "".join(parts) + _text(text[at:_MOST] + rest) + cut


def _text(text: str) -> str:
    return escape(text.encode(errors="backslashreplace").decode())
