"""The samples that the runtime makes of a file are proven against training's own code, or refused."""

from pathlib import Path
from typing import Any

import pytest

from lit_export.options import Options
from lit_export.proof import prepared
from lit_infer import progress
from lit_infer.errors import GateError, UsageError
from lit_infer.manifest import DeploymentFacts, RowProof
from lit_infer.rows.facts import AudioField, RowFields
from tests.support.sounds import LABELS, RATE, SAMPLES, SoundNet, write_recordings
from tests.support.targets import target_for

SOUNDS = "tests.support.sounds"


def proven(prepare: str | None, rows: Path | None = None, **audio: Any) -> tuple[RowProof | None, list[str]]:
    said: list[str] = []
    fields = RowFields(audio=AudioField(**{"rate": RATE, "samples": SAMPLES, **audio}))
    facts = DeploymentFacts(task="audio-classification", labels=LABELS, fields=fields)
    options: Any = {"prepare": prepare, "table_rows": rows}
    target = target_for(SoundNet().eval(), facts, **options)
    with progress.listening(progress.Listener(note=said.append)):
        return prepared.proven(target, Options(**options)), said


def test_made_up_recordings_are_compared() -> None:
    found, said = proven(f"{SOUNDS}:prepare")

    assert found is not None
    assert (found.rows, found.source) == (36, "made up")
    assert found.max_difference < 1e-6
    assert said[0].startswith(f"rows proven against {SOUNDS}:prepare on 36 rows (made up)")


def test_so_are_files_and_chunks(tmp_path: Path) -> None:
    write_recordings(tmp_path)

    found, _ = proven(f"{SOUNDS}:prepare_chunks", tmp_path, longer="chunks", hop=3_000)

    assert found is not None
    assert (found.rows, found.source) == (5, tmp_path.name)


def test_without_a_function_it_is_said_that_nothing_was_compared() -> None:
    assert proven(None) == (
        None,
        ["recordings are prepared as stated, and not compared with training's code: --prepare PKG.MOD:FN does that"],
    )


@pytest.mark.parametrize(
    ("name", "audio", "error", "said"),
    [
        (
            "prepare",
            {"longer": "center"},
            GateError,
            r"sample 0 of 04.flac is .*, and .* there\. 16 of 36",
        ),
        ("prepare", {"samples": 3_000}, GateError, r"00.wav becomes \[3000\], and \[4000\] there. 36 of 36 differ"),
        ("whole", {}, GateError, r"02.wav becomes \[4000\], and \[1480\] there\. \d+ of 36 differ"),
        ("first_channel", {}, GateError, r"\d+ of 36 differ: correct fields.audio"),
        ("by_interpolation", {}, GateError, r"\d+ of 36 differ, all of another rate than 8,000: .* as soxr_hq"),
        ("LABELS", {}, UsageError, "not a function of a file's path"),
        ("as_other", {}, UsageError, "it answers sound, and no audio"),
        ("as_pair", {}, UsageError, "it answers 2 values, and the input is audio"),
    ],
)
def test_other_samples_are_refused(name: str, audio: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        proven(f"{SOUNDS}:{name}", **audio)


@pytest.mark.parametrize("name", ["as_mapping", "as_tuple"])
def test_a_function_may_answer_by_name_or_in_a_tuple(name: str) -> None:
    found, _ = proven(f"{SOUNDS}:{name}")

    assert found is not None
