"""Recordings to compare on: files that are given, or made-up ones of several rates, lengths and numbers of channels."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lit_infer.errors import InputError, UsageError, require
from lit_infer.folder import list_images
from lit_infer.rows import recordings
from lit_infer.rows.audio import AudioFields
from lit_infer.rows.facts import AudioField
from lit_infer.tensors import Arrays

_MOST = 64
_MADE_UP = 36
_MOST_SAMPLES = 20_000_000
"""Of all made-up ones together."""
_RATES = (48_000, 44_100, 22_050, 8_000)
_LENGTHS = (1.0, 0.37, 1.29, 2.61)
"""Shares of the length that the model takes."""
_LEVELS = (1.0, 0.3, 0.1, 0.01)
_PARTS = 4
"""Chunks of a recording that are compared on."""


@dataclass(frozen=True)
class Sound:
    """A recording, and what the runtime makes of it."""

    name: str
    data: bytes
    rows: NDArray[np.float32]
    """[1, …], or [chunks, …]."""


@dataclass(frozen=True)
class Sounds:
    """Recordings, and where they are from."""

    source: str
    all: tuple[Sound, ...]
    is_real: bool

    def drawn(self, generator: np.random.Generator, batch: int) -> Arrays:
        """So many of their rows as one batch."""
        rows = [row for one in self.all for row in one.rows[:: max(1, len(one.rows) // _PARTS)][:_PARTS]]
        chosen = generator.permutation(len(rows))[:batch]
        if len(chosen) < batch:
            chosen = np.concatenate([chosen, generator.integers(len(rows), size=batch - len(chosen))])
        return (np.stack([rows[index] for index in chosen]),)


def sounds(fields: AudioFields, path: Path | None) -> Sounds:
    """The first files of a folder that can be prepared, or made-up ones."""
    if path is None:
        return Sounds("made up", tuple(_prepared(fields, _made_up(fields.facts))), is_real=False)
    if not path.exists():
        raise UsageError(f"--rows {path}: no such file or folder")
    found: list[Sound] = []
    for file in list_images([path], frozenset(recordings.SUFFIXES)):
        try:
            data = recordings.read(file)
        except InputError:
            continue
        found += _prepared(fields, {f"{len(found):02d}-{file.name}": data})  # folders may have files of one name
        if len(found) >= _MOST:
            break
    if not found:
        raise UsageError(f"--rows {path} has no recording that can be prepared ({' '.join(recordings.SUFFIXES)})")
    return Sounds(path.name, tuple(found), is_real=True)


def _prepared(fields: AudioFields, files: dict[str, bytes]) -> list[Sound]:
    found = []
    for name, data in files.items():
        try:
            found.append(Sound(name, data, fields.prepared(data)))
        except InputError:
            continue
    return found


def _made_up(facts: AudioField) -> dict[str, bytes]:
    """Tones in noise, loud and soft. Every other one has the model's own rate, so that nothing is resampled."""
    soundfile = require("soundfile", extra="audio", purpose="Making recordings up")
    generator = np.random.default_rng(0)
    count = max(2 * len(_LENGTHS), min(_MADE_UP, _MOST_SAMPLES // facts.samples))
    found = {}
    for number in range(count):
        rate = facts.rate if number % 2 == 0 else _RATES[number // 2 % len(_RATES)]
        share = _LENGTHS[number // 2 % len(_LENGTHS)]
        at = np.arange(max(1, round(facts.samples / facts.rate * share * rate))) / rate
        channels = [
            0.5 * np.sin(2 * np.pi * generator.uniform(40, 0.45 * min(rate, facts.rate)) * at + phase)
            + 0.1 * generator.standard_normal(len(at))
            for phase in range(1 + number % 3)
        ]
        sound = np.clip(np.stack(channels, axis=1) * _LEVELS[number // 3 % len(_LEVELS)], -1, 1)
        file, kind = io.BytesIO(), "FLAC" if number % 5 == 4 else "WAV"
        soundfile.write(file, sound, rate, format=kind, subtype="PCM_16")
        found[f"{number:02d}.{kind.lower()}"] = file.getvalue()
    return found
