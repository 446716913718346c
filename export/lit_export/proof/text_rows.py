"""Texts to compare on, those of a file or made-up ones of the tokenizer's own words, and their tokens."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lit_infer.errors import InputError, UsageError
from lit_infer.rows.files import Wanted, readers_of
from lit_infer.rows.text import TextFields
from lit_infer.tensors import Arrays

_MOST = 512
_ODD = ("", "?!", "naïve café, 1,000 € — “quoted”", "日本語のテキスト", "🙂🙂", "A" * 300, "  spaces\tand\nlines ")


@dataclass(frozen=True)
class Texts:
    """Raw rows, each with a text for each name, and where they are from."""

    source: str
    raw: tuple[dict[str, Any], ...]
    is_real: bool


def texts(fields: TextFields, path: Path | None) -> Texts:
    """The first rows of a file that can be prepared, or made-up ones."""
    if path is None:
        return Texts("made up", tuple(_made_up(fields)), is_real=False)
    reader = readers_of(fields).get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"--rows {path}: expected a {', '.join(readers_of(fields))} file")
    raw: list[dict[str, Any]] = []
    try:
        for block in reader.blocks(path, Wanted(fields, {}), _MOST):
            _, errors = fields.groups(block)
            good = [row for row in range(block.count) if row not in errors]
            raw += [{name: block.columns[name][row] for name in fields.names} for row in good]
            if len(raw) >= _MOST:
                break
    except InputError as error:
        raise UsageError(f"--rows {path}: {error}") from None
    if not raw:
        raise UsageError(f"--rows {path} has no text that can be prepared")
    return Texts(path.name, tuple(raw), is_real=True)


def _made_up(fields: TextFields) -> list[dict[str, Any]]:
    """Texts of every length up to one that is cut, and odd ones."""
    generator = np.random.default_rng(0)
    vocabulary = fields.tokenizer.get_vocab_size()
    most = fields.facts.max_length + (4 if fields.facts.truncation != "error" else -4)
    found = []
    for row in range(64):
        length = 1 + row * max(1, most) // 64
        words = {
            name: fields.tokenizer.decode(generator.integers(0, vocabulary, length).tolist()) for name in fields.names
        }
        found.append(words)
    found += [dict.fromkeys(fields.names, odd) for odd in _ODD]
    _, errors = fields.groups(fields.block(found))
    return [row for index, row in enumerate(found) if index not in errors]


def drawn(fields: TextFields, rows: Texts, generator: np.random.Generator, batch: int) -> Arrays:
    """So many of them as one batch, tokenized and padded."""
    chosen = generator.permutation(len(rows.raw))[:batch]
    if len(chosen) < batch:
        chosen = np.concatenate([chosen, generator.integers(len(rows.raw), size=batch - len(chosen))])
    groups, _ = fields.groups(fields.block([rows.raw[row] for row in chosen]))
    return groups[0].arrays


def of_length(arrays: Arrays, length: int) -> Arrays:
    """The same with rows of another length: repeated, or cut."""
    return tuple(np.ascontiguousarray(np.take(one, np.arange(length) % one.shape[1], axis=1)) for one in arrays)
