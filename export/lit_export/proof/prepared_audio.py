"""Prove the samples: the runtime's way from a file to the module's input, against training's own code (`--prepare`)."""

import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lit_export.front.find_class import find_object
from lit_export.options import Options
from lit_export.proof import audio_rows
from lit_export.proof.audio_rows import Sound
from lit_export.tasks import Target
from lit_export.user_code import user_code
from lit_infer import progress
from lit_infer.errors import GateError, UsageError, require
from lit_infer.manifest import Proof, RowProof
from lit_infer.proof_words import rows_compared
from lit_infer.rows.audio import AudioFields
from lit_infer.rows.facts import AudioField

_ROUNDING = 2e-6
"""Of float32, where channels are mixed before a recording is resampled, or after."""


def proven(target: Target, facts: AudioField, options: Options) -> RowProof | None:
    """What was compared; None, with a line, where nothing is named. Raises GateError where the samples differ."""
    if options.prepare is None:
        progress.note(
            "recordings are prepared as stated, and not compared with training's code: --prepare PKG.MOD:FN does that"
        )
        return None
    function = find_object(options.prepare, option="--prepare")
    if not callable(function):
        raise UsageError(f"--prepare {options.prepare} is a {type(function).__name__}, not a function of a file's path")
    found = audio_rows.sounds(AudioFields.opened(facts), options.table_rows)
    wrong: list[tuple[Sound, str]] = []
    most = 0.0
    with tempfile.TemporaryDirectory() as folder, user_code(f"{options.prepare} on recordings ({found.source})"):
        for sound in found.all:
            path = Path(folder, sound.name)
            path.write_bytes(sound.data)
            theirs = _samples(function(path), facts, options.prepare)
            path.unlink()
            apart = _apart(sound, theirs, facts)
            if apart is None or apart > _ROUNDING:
                wrong.append((sound, _words(sound, theirs, facts)))
            else:
                most = max(most, apart)
    if wrong:
        raise GateError(_said(wrong, found.all, facts, options.prepare))
    proof = RowProof(prepare=options.prepare, rows=len(found.all), source=found.source, max_difference=most)
    progress.note(rows_compared(Proof(inputs=target.inputs_kind, rows=0, prepared=proof)))
    return proof


def _samples(made: Any, facts: AudioField, name: str) -> NDArray[Any]:
    """What a function made of a file: an array or a tensor, alone, in a tuple, or by the input's name."""
    if isinstance(made, Mapping):
        if facts.input not in made:
            raise UsageError(f"--prepare {name}: it answers {', '.join(map(str, made))}, and no {facts.input}")
        made = made[facts.input]
    if isinstance(made, tuple):
        if len(made) != 1:
            raise UsageError(f"--prepare {name}: it answers {len(made)} values, and the input is {facts.input}")
        (made,) = made
    return made.detach().cpu().numpy() if isinstance(made, torch.Tensor) else np.asarray(made)


def _apart(sound: Sound, theirs: NDArray[Any], facts: AudioField) -> float | None:
    """The largest difference; None where there are not as many samples. Sides of 1 may be there or not."""
    if theirs.size != sound.rows.size or theirs.shape[-1:] != (facts.samples,) or theirs.dtype.kind not in "fiu":
        return None
    apart = float(np.abs(sound.rows.ravel() - theirs.ravel().astype(np.float64)).max())
    return apart if np.isfinite(apart) else None


def _words(sound: Sound, theirs: NDArray[Any], facts: AudioField) -> str:
    """What is otherwise: the shape, or the first sample."""
    if theirs.size != sound.rows.size or theirs.shape[-1:] != (facts.samples,):
        return f"{sound.name} becomes {_sides(sound.rows)}, and {_sides(theirs)} there"
    ours, there = sound.rows.ravel(), theirs.ravel()
    place = int(np.flatnonzero(~(np.abs(ours - there) <= _ROUNDING))[0])
    return f"sample {place} of {sound.name} is {ours[place]:.6g}, and {there[place]:.6g} there"


def _said(wrong: Sequence[tuple[Sound, str]], every: Sequence[Sound], facts: AudioField, name: str) -> str:
    said = f"recordings are not prepared as {name} does it: {wrong[0][1]}. {len(wrong)} of {len(every)} differ"
    bad = {sound.name for sound, _ in wrong}
    good = [sound for sound in every if sound.name not in bad]
    if good and all(_has_rate(sound, facts) for sound in good) and not any(_has_rate(one, facts) for one, _ in wrong):
        return (
            f"{said}, all of another rate than {facts.rate:,}: it does not resample as {facts.resampling} (soxr, "
            "as librosa calls it) does. Train with that, or send and compare files of the model's rate (--rows FOLDER)"
        )
    return f"{said}: correct fields.audio (rate, samples, longer, shorter, …)"


def _has_rate(sound: Sound, facts: AudioField) -> bool:
    soundfile = require("soundfile", extra="audio", purpose="Reading recordings")
    return bool(soundfile.info(io.BytesIO(sound.data)).samplerate == facts.rate)


def _sides(array: NDArray[Any]) -> str:
    return f"[{', '.join(map(str, array.squeeze().shape))}]"
