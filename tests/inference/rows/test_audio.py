from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lit_infer.errors import InputError
from lit_infer.rows.audio import AudioFields, framed_as, mean_of_parts
from lit_infer.rows.facts import AudioField
from tests.support.sounds import encoded, prepare, prepare_chunks, tone, write_recordings


def facts(**changes: Any) -> AudioField:
    return AudioField(**{"rate": 1_000, "samples": 4, **changes})


@pytest.mark.parametrize(
    ("count", "changes", "rows"),
    [
        (4, {}, [[0, 1, 2, 3]]),
        (9, {}, [[0, 1, 2, 3]]),
        (9, {"longer": "center"}, [[2, 3, 4, 5]]),
        (2, {}, [[0, 1, 0, 0]]),
        (3, {"shorter": "repeat"}, [[0, 1, 2, 0]]),
        (2, {"shorter": "repeat", "longer": "center"}, [[0, 1, 0, 1]]),
        (2, {"longer": "chunks"}, [[0, 1, 0, 0]]),
        (4, {"longer": "chunks"}, [[0, 1, 2, 3]]),
        (8, {"longer": "chunks"}, [[0, 1, 2, 3], [4, 5, 6, 7]]),
        (9, {"longer": "chunks"}, [[0, 1, 2, 3], [4, 5, 6, 7], [8, 0, 0, 0]]),
        (9, {"longer": "chunks", "hop": 3}, [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 0]]),
        (7, {"longer": "chunks", "hop": 3}, [[0, 1, 2, 3], [3, 4, 5, 6]]),
    ],
)
def test_a_recording_gets_the_model_s_length(count: int, changes: Any, rows: list[list[int]]) -> None:
    assert framed_as(np.arange(count, dtype=np.float32), facts(**changes)).tolist() == rows


@pytest.mark.parametrize(
    ("count", "changes", "code"), [(3, {"shorter": "error"}, "too_short"), (5, {"longer": "error"}, "too_long")]
)
def test_another_length_may_be_an_error(count: int, changes: Any, code: str) -> None:
    with pytest.raises(InputError, match=f"it lasts 0.00{count} s, and the model takes 0.004 s") as caught:
        framed_as(np.zeros(count, dtype=np.float32), facts(**changes))
    assert caught.value.code == code


def test_files_and_bytes_are_prepared_as_training_does_it(tmp_path: Path) -> None:
    paths = write_recordings(tmp_path)
    fields = AudioFields(AudioField(rate=8_000, samples=4_000))
    rows = [str(paths[0]), paths[1], paths[2].read_bytes(), {"audio": paths[3]}, {"audio": paths[4].read_bytes()}]

    (group,), errors = fields.groups(fields.block(rows))

    assert (errors, group.rows, group.is_one) == ({}, [0, 1, 2, 3, 4], False)
    assert np.abs(group.arrays[0] - np.stack([prepare(path).numpy() for path in paths])).max() < 1e-6


def test_a_recording_becomes_chunks_and_the_channel_has_a_side(tmp_path: Path) -> None:
    paths = write_recordings(tmp_path)
    fields = AudioFields(AudioField(rate=8_000, samples=4_000, longer="chunks", hop=3_000, has_channel=True))

    groups, _ = fields.groups(fields.block(paths))

    assert [group.rows for group in groups] == [[0], [1], [2], [3], [4]]
    for group, path in zip(groups, paths, strict=True):
        wanted = prepare_chunks(path)
        assert group.is_one
        assert group.arrays[0].shape == (len(wanted), 1, 4_000)
        assert np.abs(group.arrays[0][:, 0] - wanted).max() < 1e-6


def test_a_bad_row_harms_only_itself() -> None:
    fields = AudioFields(facts())
    good = encoded(tone(0.1, 1_000), 1_000)

    (group,), errors = fields.groups(fields.block([good, b"junk", 7, {"other": good}, Path("none.wav"), good]))

    assert (group.rows, len(group.arrays[0])) == ([0, 5], 2)
    assert {row: error.code for row, error in errors.items()} == {
        1: "unknown_format",
        2: "bad_row",
        3: "bad_row",
        4: "not_found",
    }
    assert fields.groups(fields.block([b"junk"]))[0] == []


def test_the_answer_for_a_recording_is_the_mean_of_its_chunks() -> None:
    (found,) = mean_of_parts((np.array([[0.25, 0.75], [0.75, 0.25], [0.5, 0.5]], dtype=np.float32),))

    assert (found.dtype, found.tolist()) == (np.float32, [[0.5, 0.5]])
