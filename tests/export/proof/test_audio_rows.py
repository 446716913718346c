import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from lit_export.proof.audio_rows import sounds
from lit_infer.errors import NotFoundError, UsageError
from lit_infer.rows.audio import AudioFields
from lit_infer.rows.facts import AudioField
from tests.support.sounds import write_recordings


def fields(**changes: Any) -> AudioFields:
    return AudioFields(AudioField(**{"rate": 16_000, "samples": 2_000, **changes}))


def test_made_up_recordings_are_of_many_rates_lengths_and_numbers_of_channels() -> None:
    found = sounds(fields(), None)

    heads = [soundfile.info(io.BytesIO(one.data)) for one in found.all]
    assert {head.samplerate for head in heads} == {16_000, 48_000, 44_100, 22_050, 8_000}
    assert {head.channels for head in heads} == {1, 2, 3}
    assert {head.format for head in heads} == {"WAV", "FLAC"}
    assert len({round(head.duration, 2) for head in heads}) >= 4
    assert (found.source, found.is_real) == ("made up", False)
    assert all(np.abs(one.rows).max() > 0 for one in found.all)


@pytest.mark.parametrize(
    "changes", [{"longer": "error"}, {"shorter": "error"}, {"longer": "error", "shorter": "error"}]
)
def test_those_that_the_facts_refuse_are_left_out(changes: Any) -> None:
    found = sounds(fields(**changes), None)

    assert 0 < len(found.all) < len(sounds(fields(), None).all)
    assert {one.rows.shape for one in found.all} == {(1, 2_000)}


def test_batches_of_any_size_are_drawn_and_a_long_recording_does_not_fill_them() -> None:
    found = sounds(fields(longer="chunks", hop=100), None)

    (drawn,) = found.drawn(np.random.default_rng(0), 500)
    assert (drawn.shape, drawn.dtype) == ((500, 2_000), np.float32)
    assert max(len(one.rows) for one in found.all) > 4


def test_the_files_of_a_folder_that_can_be_prepared(tmp_path: Path) -> None:
    write_recordings(tmp_path / "a")
    write_recordings(tmp_path / "b")
    (tmp_path / "a" / "bad.wav").write_bytes(b"no sound")
    (tmp_path / "none").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "bad.wav").write_bytes(b"no sound")

    found = sounds(fields(), tmp_path)

    assert (len(found.all), found.is_real, found.source) == (10, True, tmp_path.name)
    assert len({one.name for one in found.all}) == 10
    with pytest.raises(UsageError, match="no such file or folder"):
        sounds(fields(), tmp_path / "lost")
    with pytest.raises(NotFoundError):
        sounds(fields(), tmp_path / "none")
    with pytest.raises(UsageError, match="no recording that can be prepared"):
        sounds(fields(), tmp_path / "bad")
