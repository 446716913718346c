import io
import os
import struct
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from lit_infer.errors import InputError
from lit_infer.rows import recordings
from lit_infer.rows.facts import MOST_SECONDS, AudioField
from lit_infer.rows.recordings import check_packages, decoded, read
from tests.inference.tiny import without
from tests.support.sounds import encoded, tone

WHOLE = AudioField(rate=8_000, samples=4_000, longer="chunks")
START = AudioField(rate=8_000, samples=4_000)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000, 7_999])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_samples_are_those_of_soundfile_and_of_librosa_s_resampler(rate: int, channels: int) -> None:
    data = encoded(tone(3.01, rate, channels), rate)

    whole, start = decoded(data, WHOLE), decoded(data, START)

    samples, _ = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    wanted = soxr.resample(samples, rate, 8_000).mean(axis=1)
    assert (whole.dtype, whole.shape) == (np.float32, wanted.shape)
    assert np.abs(whole - wanted).max() < 1e-6
    assert len(whole) >= len(start) >= 4_000
    assert np.array_equal(start[:4_000], whole[:4_000])  # what follows does not change what came before


@pytest.mark.parametrize(
    "given",
    [
        {"subtype": "PCM_24"},
        {"subtype": "FLOAT"},
        {"subtype": "ULAW"},
        {"format": "WAVEX"},
        {"format": "RF64"},
        {"endian": "BIG"},
        {"format": "FLAC"},
        {"format": "OGG"},
        {"format": "OGG", "subtype": "OPUS"},
    ],
)
def test_formats_that_are_read(given: Any) -> None:
    data = encoded(tone(0.4, 48_000, 2), 48_000, **given)

    samples, _ = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    assert np.abs(decoded(data, WHOLE) - soxr.resample(samples, 48_000, 8_000).mean(axis=1)).max() < 1e-6


@pytest.mark.parametrize("quality", ["soxr_qq", "soxr_vhq"])
def test_the_quality_of_the_resampling_is_as_stated(quality: Any) -> None:
    sound = tone(0.5, 44_100)

    found = decoded(encoded(sound, 44_100, subtype="FLOAT"), AudioField(rate=8_000, samples=10, resampling=quality))

    assert np.array_equal(found, soxr.resample(sound[:, 0], 44_100, 8_000, quality=quality)[: len(found)])


def test_samples_beyond_one_stay_as_they_are() -> None:
    assert np.allclose(
        decoded(encoded(2 * tone(0.1, 8_000), 8_000, subtype="FLOAT"), WHOLE), 2 * tone(0.1, 8_000)[:, 0]
    )


def _streamed(data: bytes) -> bytes:
    """As a program writes it that cannot go back to the head."""
    return data.replace(data[36:44], b"data\xff\xff\xff\xff")


def test_a_wav_without_a_length_is_read_to_its_end() -> None:
    sound = tone(0.5, 8_000)
    data = encoded(sound, 8_000)

    assert len(decoded(_streamed(data), WHOLE)) == len(sound)


def _flipped(data: bytes, start: int) -> bytes:
    return data[:start] + bytes(256 - byte & 0xFF for byte in data[start : start + 400]) + data[start + 400 :]


SOUND = tone(1.0, 8_000)


def changed(data: bytes, place: int) -> bytes:
    """With another byte at a place."""
    return data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]


WAV, FLAC, OGG = encoded(SOUND, 8_000), encoded(SOUND, 8_000, format="FLAC"), encoded(SOUND, 8_000, format="OGG")
NAN = encoded(np.full((100, 2), np.nan, np.float32), 8_000, subtype="FLOAT")


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (b"", "empty", "the file is empty"),
        (b"no sound at all", "unknown_format", r"no recording \(.wav .flac .ogg\)"),
        (b"RIFF\x10\0\0\0AVI LIST", "unknown_format", "no recording"),
        (b"ID3\x04" + bytes(400), "unknown_format", "no recording"),
        (encoded(SOUND, 8_000, format="AIFF"), "unknown_format", "no recording"),
        (encoded(SOUND, 8_000, subtype="MS_ADPCM"), "unknown_format", "coded as WAV's 2"),
        (encoded(SOUND[:0], 8_000), "empty", "there is no sound in it"),
        (WAV[:9_000], "truncated", "it ends after 8,956 of 16,000 bytes of sound"),
        (FLAC[:9_000], "damaged", "the recording is damaged"),
        (OGG[:-100], "truncated", "its last page is cut off"),
        (OGG + b"rest", "truncated", "no page of Ogg"),
        (OGG + OGG, "bad_value", "2 streams"),
        (changed(OGG, len(OGG) // 2), "damaged", "the page of Ogg at byte"),
        (changed(OGG, 14), "damaged", "the page of Ogg at byte 0"),
        (_flipped(FLAC, 5_000), "damaged", "the recording is damaged"),
        (WAV[:20] + b"\1\0\0\0" + WAV[24:], "damaged", "its head is damaged"),
        (NAN, "bad_value", "NaN or infinity"),
        (encoded(tone(0.1, 900), 900), "bad_rate", "900 samples a second; the limits are 1,000 and 768,000"),
        (encoded(tone(0.01, 8_000, 40), 8_000), "too_many_channels", "40 channels; the limit is 32"),
    ],
)
def test_what_is_no_whole_recording_is_told(data: bytes, code: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        decoded(data, WHOLE)
    assert caught.value.code == code


def _silence(seconds: int) -> bytes:
    """A small file that lasts long."""
    return encoded(np.zeros((seconds * 1_000, 1), np.float32), 1_000, format="FLAC")


def test_a_recording_that_lasts_too_long_is_refused_unless_its_start_is_enough() -> None:
    data = _silence(MOST_SECONDS + 1)
    assert len(data) < 100_000

    with pytest.raises(InputError, match="it lasts 601 s; the limit is 600 s") as caught:
        decoded(data, WHOLE)
    assert caught.value.code == "too_long"
    assert len(decoded(data, START)) >= 4_000


def test_a_flac_of_unknown_length_is_refused() -> None:
    streamed = FLAC[:21] + bytes([FLAC[21] & 0xF0]) + bytes(4) + FLAC[26:]  # STREAMINFO's number of samples

    with pytest.raises(InputError, match="does not say how long it is") as caught:
        decoded(streamed, WHOLE)
    assert caught.value.code == "no_length"


def test_files_are_read_if_they_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.wav").write_bytes(WAV)
    os.mkfifo(tmp_path / "pipe.wav")
    assert read(tmp_path / "a.wav") == WAV

    for name, code in (("none.wav", "not_found"), ("pipe.wav", "unreadable"), (".", "unreadable")):
        with pytest.raises(InputError) as caught:
            read(tmp_path / name)
        assert caught.value.code == code
    monkeypatch.setattr(recordings, "MOST_BYTES", 1_000)
    for refused in (lambda: read(tmp_path / "a.wav"), lambda: decoded(WAV, WHOLE)):
        with pytest.raises(InputError, match="16,044 bytes; the limit is 1,000") as caught:
            refused()
        assert caught.value.code == "too_many_bytes"


def test_a_wav_of_python_s_own_is_read() -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(8_000)
        writer.writeframes(struct.pack("<3h", 0, 16_384, -32_768))

    assert decoded(file.getvalue(), WHOLE).tolist() == [0, 0.5, -1]


def test_without_the_extra_its_command_is_told(tmp_path: Path) -> None:
    check_packages()
    code = "from lit_infer.rows.recordings import check_packages; check_packages()"
    environment = {**os.environ, **without(tmp_path, "soxr")}

    made = subprocess.run([sys.executable, "-c", code], env=environment, check=False, capture_output=True, text=True)

    assert 'needs soxr, which is not installed. Run: pip install "lit-deploy[audio]"' in made.stderr
