"""Texts to the token ids that the graph takes, by Hugging Face's tokenizers (extra `text`), without transformers.

Rows of one length are batched together, so that little is computed for padding.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.errors import ArtifactError, InputError, require
from lit_infer.held_file import HeldFile
from lit_infer.manifest import TOKENIZER
from lit_infer.rows.arrays import RowGroup
from lit_infer.rows.blocks import RowBlock
from lit_infer.rows.facts import TextField, TokenPart
from lit_infer.rows.places import TextPlaces

MOST_CHARACTERS = 1_000_000
"""Of one text: more is not what anybody means, and takes the tokenizer seconds."""
_MOST_BYTES = 100 * 2**20

# Batches are tokenized on threads of our own: more of them would only wait for each other.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@dataclass(frozen=True)
class TextFields:
    """What a row of text holds."""

    facts: TextField
    tokenizer: Any
    order: tuple[str, ...] = ()
    """The names of the graph's inputs in its order: a manifest keeps none for those of the facts. Empty: the facts'."""

    @classmethod
    def opened(cls, facts: TextField, folder: Path | None, *, order: tuple[str, ...], name: str) -> "TextFields":
        """With the tokenizer of a bundle. Raises ArtifactError for another one than its manifest's, or none."""
        if folder is None:
            raise ArtifactError(f"{name} needs the {TOKENIZER} of its bundle: load the bundle's folder")
        return cls(facts, _tokenizer(folder / TOKENIZER, facts), order)

    @property
    def names(self) -> tuple[str, ...]:
        """What a row has a value for."""
        return (self.facts.column,) if self.facts.pair is None else (self.facts.column, self.facts.pair)

    @property
    def is_ragged(self) -> bool:
        """Whether batches are padded to their longest row."""
        return self.facts.padding == "longest"

    def block(self, items: Sequence[Any]) -> RowBlock:
        """Rows that a caller gives: texts, or mappings that have them."""
        rows = [{self.facts.column: item} if isinstance(item, str) else item for item in items]
        errors: dict[int, InputError] = {}
        for index, row in enumerate(rows):
            if not isinstance(row, Mapping):
                errors[index] = InputError(f"a row is a text or a mapping, not {type(row).__name__}", code="bad_row")
            elif missing := [name for name in self.names if name not in row]:
                errors[index] = InputError(f"the row has no {', '.join(missing)}", code="missing")
        good = [{} if index in errors else row for index, row in enumerate(rows)]
        return RowBlock(len(rows), {name: [row.get(name) for row in good] for name in self.names}, errors)

    def groups(self, block: RowBlock, size: int | None = None) -> tuple[list[RowGroup], Mapping[int, InputError]]:
        """The rows by length, in batches of `size`, each padded; and what is wrong with the others."""
        errors = dict(block.errors)
        rows, texts = [], []
        for row in range(block.count):
            if row in errors:
                continue
            values = [block.columns[name][row] for name in self.names]
            try:
                for name, value in zip(self.names, values, strict=True):
                    _check(name, value)
            except InputError as error:
                errors[row] = error
            else:
                rows.append(row)
                texts.append(values[0] if len(values) == 1 else tuple(values))
        encoded = self.tokenizer.encode_batch(texts, add_special_tokens=self.facts.special_tokens) if texts else []
        found = dict(zip(rows, encoded, strict=True))
        for row, one in list(found.items()):
            if (wrong := self._wrong_length(len(one.ids))) is not None:
                errors[row] = wrong
                del found[row]
        order = sorted(found, key=lambda row: (len(found[row].ids), row))
        step = size or max(1, len(order))
        parts = [order[start : start + step] for start in range(0, len(order), step)]
        of_rows = dict(zip(rows, texts, strict=True))
        groups = []
        for part in parts:
            own = [found[row] for row in part]
            arrays = self._arrays(own)
            places = partial(self._places, [of_rows[row] for row in part], own, arrays[0].shape[1])
            groups.append(RowGroup(part, arrays, places))
        return groups, errors

    def _places(self, texts: Sequence[Any], encoded: Sequence[Any], length: int) -> list[TextPlaces]:
        """Where the tokens of each text of a padded batch are in it; of a pair, in the first one."""
        is_left = self.facts.padding_side == "left"
        made = []
        for text, one in zip(texts, encoded, strict=True):
            first = length - len(one.ids) if is_left else 0
            own = text if isinstance(text, str) else text[0]
            offsets, special = one.offsets, one.special_tokens_mask
            made.append(TextPlaces(own, offsets, one.word_ids, special, first, self._unseen(own, one)))
        return made

    def _unseen(self, text: str, encoded: Any) -> int:
        """How many characters of a text were cut off."""
        if not encoded.overflowing:
            return 0
        pairs = zip(encoded.offsets, encoded.special_tokens_mask, strict=True)
        seen = [offset for offset, is_special in pairs if not is_special]
        if not seen:
            return len(text)
        return int(seen[0][0] if self.facts.truncation == "left" else len(text) - seen[-1][1])

    def _wrong_length(self, tokens: int) -> InputError | None:
        """What is wrong with a text of so many tokens."""
        if self.facts.truncation == "error" and tokens > self.facts.max_length:
            said = f"it has {tokens:,} tokens, and the model takes {self.facts.max_length:,}"
            return InputError(said, code="too_long")
        if not tokens and self.is_ragged:  # it would be padding alone, and answered by how much of that there is
            return InputError("the text has no tokens", code="no_tokens")
        return None

    def _arrays(self, encoded: Sequence[Any]) -> tuple[NDArray[np.int64], ...]:
        facts = self.facts
        longest = facts.max_length if facts.padding == "fixed" else max(1, *(len(one.ids) for one in encoded))
        length = -(-longest // facts.pad_to_multiple) * facts.pad_to_multiple
        made = []
        inputs = facts.inputs or {}
        for part in (inputs[name] for name in self.order or inputs):
            array = np.full((len(encoded), length), facts.pad_id if part == "ids" else 0, dtype=np.int64)
            for row, one in enumerate(encoded):
                values = _values(one, part)
                place = slice(length - len(values), length) if facts.padding_side == "left" else slice(len(values))
                array[row, place] = values
            made.append(array)
        return tuple(made)


def _values(encoded: Any, part: TokenPart) -> Sequence[int]:
    values: Sequence[int] = {"ids": encoded.ids, "mask": encoded.attention_mask, "types": encoded.type_ids}[part]
    return values


def _check(name: str, value: Any) -> None:
    """Raise InputError for what is no text."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        raise InputError(f"{name} is missing", code="missing")
    if not isinstance(value, str):
        raise InputError(f"{name} is {type(value).__name__}, not a text", code="bad_value")
    if len(value) > MOST_CHARACTERS:
        raise InputError(f"{name} has {len(value):,} characters; the limit is {MOST_CHARACTERS:,}", code="too_long")
    if any("\udc80" <= character <= "\udcff" for character in value):
        raise InputError(f"{name} is not UTF-8", code="bad_value")


def _tokenizer(path: Path, facts: TextField) -> Any:
    try:
        with HeldFile(path) as file:
            digest, data = file.sha256(), file.read(limit=_MOST_BYTES)
    except FileNotFoundError:
        raise ArtifactError(f"{path} is missing: export or fetch the bundle again") from None
    if digest != facts.tokenizer_sha256:
        raise ArtifactError(f"{path} is not the file that the manifest describes: export or fetch the bundle again")
    return made(data, facts, where=str(path))


def made(data: bytes, facts: TextField, *, where: str) -> Any:
    """The tokenizer in the bytes of a `tokenizer.json`, set as the facts have it, whatever else it was saved with."""
    return _made(data, facts.max_length, facts.truncation, where)


@lru_cache(maxsize=8)
def _made(data: bytes, max_length: int, truncation: str, where: str) -> Any:
    tokenizers = require("tokenizers", extra="text", purpose=f"Reading {where}")
    try:
        found = tokenizers.Tokenizer.from_str(data.decode())
    except Exception as error:  # it raises plain Exception
        raise ArtifactError(f"{where} is no tokenizer.json ({error})") from None
    found.no_padding()
    found.no_truncation()
    if truncation != "error":
        found.enable_truncation(max_length, direction=truncation)
    return found
