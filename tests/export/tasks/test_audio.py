"""Modules on recordings, as users write them: what their graph takes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lit_export.tasks import Target, answers
from lit_infer.errors import UsageError
from lit_infer.manifest import DeploymentFacts
from lit_infer.rows.facts import AudioField, RowFields
from tests.support.sounds import LABELS, RATE, SAMPLES, SoundNet, prepare, write_recordings
from tests.support.targets import target_for


def made(module: nn.Module | None = None, *, labels: Any = LABELS, options: Any = None, **audio: Any) -> Target:
    fields = RowFields(audio=AudioField(**{"rate": RATE, "samples": SAMPLES, **audio}))
    facts = DeploymentFacts(task="audio-classification", labels=labels, fields=fields)
    return target_for((module or SoundNet()).eval(), facts, **(options or {}))


def test_the_graph_takes_samples_and_the_spectrogram_is_in_it() -> None:
    target = made()

    assert [(one.name, one.dtype, one.shape) for one in target.inputs] == [("audio", "float32", ("batch", SAMPLES))]
    assert [(one.name, one.shape) for one in target.outputs] == [("probabilities", ("batch", 3))]
    found = answers(target.module, target.example)[0]
    assert torch.allclose(torch.from_numpy(found).sum(1), torch.ones(2))
    assert (target.inputs_kind, target.inputs_given) == ("noise", None)


class OneScore(nn.Module):
    """A logit for each recording, of an input with a side for the channel."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Conv1d(1, 1, 80, 40)

    def forward(self, waveform: Tensor) -> Tensor:
        return self.body(waveform).abs().mean((1, 2)) - 0.2


def test_an_input_may_have_a_channel_and_a_name_and_a_score_may_stand_for_two_classes() -> None:
    target = made(OneScore(), labels=("no", "yes"), has_channel=True, input="waveform")

    assert [(one.name, one.shape) for one in target.inputs] == [("waveform", ("batch", 1, SAMPLES))]
    assert target.outputs[0].shape == ("batch", 2)


def test_recordings_that_are_given_are_what_is_compared_on(tmp_path: Path) -> None:
    paths = write_recordings(tmp_path)
    target = made(options={"table_rows": tmp_path, "static_batch": 4})

    assert (target.inputs_kind, target.inputs_source, target.inputs_given) == ("file", tmp_path.name, 5)
    assert target.inputs[0].shape == (4, SAMPLES)
    (drawn,) = target.noise(np.random.default_rng(0), 20)
    prepared = np.stack([prepare(path).numpy() for path in paths])
    assert all(np.abs(prepared - row).max(axis=1).min() < 1e-6 for row in drawn)


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(UsageError, match="2 labels are given and the model has 3 classes"):
        made(labels=("a", "b"))
    with pytest.raises(UsageError, match="--input and --dynamic are for task tensor"):
        made(options={"inputs": ("4",)})
