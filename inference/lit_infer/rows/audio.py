"""Recordings to the samples that the graph takes: at one rate, mixed to one channel, of one length, or in chunks."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lit_infer.errors import InputError
from lit_infer.rows import recordings
from lit_infer.rows.arrays import RowGroup
from lit_infer.rows.blocks import RowBlock
from lit_infer.rows.facts import AudioField
from lit_infer.rows.recordings import Waveform
from lit_infer.tensors import Arrays

COLUMN = "audio"
"""What a recording is called in a row."""


@dataclass(frozen=True)
class AudioFields:
    """What a row of sound holds."""

    facts: AudioField

    @classmethod
    def opened(cls, facts: AudioField) -> "AudioFields":
        """For a model that is to be used here. Raises MissingExtraError."""
        recordings.check_packages()
        return cls(facts)

    @property
    def names(self) -> tuple[str, ...]:
        """What a row has a value for."""
        return (COLUMN,)

    @property
    def is_ragged(self) -> bool:
        """Never: all rows have one length, or their chunks do."""
        return False

    @property
    def has_chunks(self) -> bool:
        """Whether a row may become several rows of the graph, whose answers are averaged."""
        return self.facts.longer == "chunks"

    def block(self, items: Sequence[Any]) -> RowBlock:
        """Rows that a caller gives: paths, the bytes of files, or mappings that have one."""
        values: list[Any] = []
        errors: dict[int, InputError] = {}
        for index, item in enumerate(items):
            value = item.get(COLUMN) if isinstance(item, Mapping) else item
            values.append(Path(value) if isinstance(value, str | os.PathLike) else value)
            if not isinstance(values[-1], Path | bytes):
                accepted = f"a row is a path, the bytes of a file, or {{{COLUMN!r}: one of these}}"
                errors[index] = InputError(f"{accepted}, not {type(value).__name__}", code="bad_row")
        return RowBlock(len(values), {COLUMN: values}, errors)

    def groups(self, block: RowBlock, size: int | None = None) -> tuple[list[RowGroup], Mapping[int, InputError]]:
        """The rows as one batch, or each with its chunks; and what is wrong with the others."""
        del size
        errors = dict(block.errors)
        found: dict[int, Waveform] = {}
        for row in range(block.count):
            if row in errors:
                continue
            try:
                found[row] = self.prepared(block.columns[COLUMN][row])
            except InputError as error:
                errors[row] = error
        if self.has_chunks:
            return [RowGroup([row], (chunks,), is_one=True) for row, chunks in found.items()], errors
        if not found:
            return [], errors
        return [RowGroup(list(found), (np.concatenate(list(found.values())),))], errors

    def prepared(self, item: Path | bytes) -> Waveform:
        """A recording as the graph takes it, [1, samples] or [chunks, samples]; with `has_channel` [n, 1, samples]."""
        data = recordings.read(item) if isinstance(item, Path) else item
        framed = framed_as(recordings.decoded(data, self.facts), self.facts)
        return framed[:, None, :] if self.facts.has_channel else framed


def framed_as(samples: Waveform, facts: AudioField) -> Waveform:
    """Waveform of any length as rows of the model's. Chunks that overlap share their memory."""
    count, wanted = len(samples), facts.samples
    if count < wanted:
        if facts.shorter == "error":
            raise InputError(_length(count, facts), code="too_short")
        if facts.shorter == "repeat" and count:
            return np.resize(samples, wanted)[None]
        return np.pad(samples, (0, wanted - count))[None]
    if count == wanted or facts.longer == "start":
        return samples[None, :wanted]
    if facts.longer == "error":
        raise InputError(_length(count, facts), code="too_long")
    if facts.longer == "center":
        start = (count - wanted) // 2
        return samples[None, start : start + wanted]
    hop = facts.hop or wanted
    chunks = 1 + -(-(count - wanted) // hop)
    whole = np.pad(samples, (0, (chunks - 1) * hop + wanted - count))
    return np.lib.stride_tricks.sliding_window_view(whole, wanted)[::hop]


def mean_of_parts(outputs: Arrays) -> Arrays:
    """The answer for a recording, from those for its chunks: [1, …]."""
    return tuple(output.mean(axis=0, keepdims=True, dtype=np.float64).astype(output.dtype) for output in outputs)


def _length(count: int, facts: AudioField) -> str:
    return f"it lasts {count / facts.rate:.6g} s, and the model takes {facts.samples / facts.rate:.6g} s"
