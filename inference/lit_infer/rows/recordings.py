"""From the bytes of a recording to samples at one rate, by libsndfile and soxr (extra `audio`).

It is decoded block by block: what is held is one channel at the model's rate, however many the file has.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.errors import ArtifactError, InputError, UsageError, require
from lit_infer.held_file import HeldFile
from lit_infer.rows.facts import LEAST_RATE, MOST_RATE, MOST_SECONDS, AudioField

SUFFIXES = (".wav", ".flac", ".ogg")
MOST_BYTES = 256 * 2**20
"""Of a file: ten minutes of two channels of 24 bits at 48 kHz have 173 MB."""
_MOST_CHANNELS = 32
_FORMATS = ("WAV", "WAVEX", "RF64", "FLAC", "OGG")
"""libsndfile's names; its other formats are never tried."""
_MAGIC = (b"RIFF", b"RIFX", b"RF64", b"fLaC", b"OggS")
_CODINGS = (1, 3, 6, 7)
"""Of a WAV's samples: PCM, floats, A-law and µ-law. Others would reach decoders of MP3, GSM and ADPCM."""
_EXTENSIBLE = 0xFFFE
_BLOCK = 2**16  # frames
_UNKNOWN = 2**62
"""libsndfile's number of samples, and more, where a FLAC's head has none: it cannot read that bit by bit."""
_STREAMED = (0, 2**32 - 1)
"""Sizes that a WAV has whose writer could not go back to its head."""
_PAGE = struct.Struct("<4sBBqIIIB")
"""Of Ogg: its magic, version, kind, position, stream, number, checksum and how many segments it has."""
_CHECKSUM_AT = 22
_FIRST_PAGE = 2
"""Of a stream, by its kind."""

Waveform = NDArray[np.float32]


def check_packages() -> None:
    """Raise MissingExtraError without the packages that read recordings."""
    for name in ("soundfile", "soxr"):
        require(name, extra="audio", purpose="Reading recordings")


def read(path: Path) -> bytes:
    """The bytes of a file. Raises InputError for none, for too many, and for what is no regular file."""
    try:
        with HeldFile(path) as file:
            _check_bytes(file.size)
            return file.read(limit=MOST_BYTES)
    except FileNotFoundError:
        raise InputError("no such file", code="not_found") from None
    except InputError:
        raise
    except (ArtifactError, UsageError, OSError, ValueError) as error:
        raise InputError(getattr(error, "strerror", None) or str(error), code="unreadable") from None


def decoded(data: bytes, facts: AudioField) -> Waveform:
    """Its channels' mean at the model's rate, float32 [samples]; where only the start counts, no more than that.

    Raises InputError for what is no recording, is damaged, or is more than the limits allow.
    """
    soundfile = require("soundfile", extra="audio", purpose="Reading recordings")
    _check_bytes(len(data))
    if not data:
        raise InputError("the file is empty", code="empty")
    if data[:4] not in _MAGIC:
        raise InputError(f"it is no recording ({' '.join(SUFFIXES)})", code="unknown_format")
    _check_whole(data)
    try:
        file = soundfile.SoundFile(io.BytesIO(data))
    except soundfile.SoundFileError:
        raise InputError("its head is damaged", code="damaged") from None
    with file:
        _check_head(file, facts)
        try:
            found = np.concatenate(list(_parts(file, facts)))
        except soundfile.SoundFileError as error:
            said = str(getattr(error, "error_string", error)).removeprefix("Error : ").rstrip(".")
            raise InputError(f"the recording is damaged ({said})", code="damaged") from None
    if not np.isfinite(found).all():
        raise InputError("the recording has NaN or infinity in it", code="bad_value")
    return found


def _check_bytes(size: int) -> None:
    if size > MOST_BYTES:
        raise InputError(f"it has {size:,} bytes; the limit is {MOST_BYTES:,}", code="too_many_bytes")


def _check_head(file: Any, facts: AudioField) -> None:
    """What its head says, before anything is decoded."""
    if file.format not in _FORMATS:
        raise InputError(f"it is {file.format}, and read are {' '.join(SUFFIXES)}", code="unknown_format")
    if not LEAST_RATE <= file.samplerate <= MOST_RATE:
        raise InputError(
            f"it has {file.samplerate:,} samples a second; the limits are {LEAST_RATE:,} and {MOST_RATE:,}",
            code="bad_rate",
        )
    if file.channels > _MOST_CHANNELS:
        raise InputError(f"it has {file.channels:,} channels; the limit is {_MOST_CHANNELS}", code="too_many_channels")
    if file.frames < 1:
        raise InputError("there is no sound in it", code="empty")
    if file.frames >= _UNKNOWN:
        raise InputError("its head does not say how long it is: write it to a file, not to a pipe", code="no_length")
    seconds = file.frames / file.samplerate
    if facts.longer != "start" and seconds > MOST_SECONDS:
        raise InputError(f"it lasts {seconds:,.0f} s; the limit is {MOST_SECONDS} s: cut it", code="too_long")


def _parts(file: Any, facts: AudioField) -> Iterator[Waveform]:
    """One channel at the model's rate, a block after the other."""
    soxr = require("soxr", extra="audio", purpose="Reading recordings")
    stream: Any = None
    if file.samplerate != facts.rate:
        quality = facts.resampling.removeprefix("soxr_").upper()
        stream = soxr.ResampleStream(file.samplerate, facts.rate, 1, dtype="float32", quality=quality)
    frames = made = 0
    while facts.longer != "start" or made < facts.samples:
        block = file.read(_BLOCK, dtype="float32", always_2d=True)
        frames += len(block)
        with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is told in the end
            part = block.mean(axis=1, dtype=np.float32)
        if stream is not None:
            part = stream.resample_chunk(part, last=not len(block))
        made += len(part)
        yield part
        if not len(block):
            if frames != file.frames:
                raise InputError(f"it ends after {frames:,} of {file.frames:,} samples", code="truncated")
            return


def _check_whole(data: bytes) -> None:
    """Raise InputError for a file that was cut off, of which libsndfile takes what is there without a word."""
    if data[:4] in (b"RIFF", b"RIFX", b"RF64"):
        if data[8:12] != b"WAVE":
            raise InputError(f"it is no recording ({' '.join(SUFFIXES)})", code="unknown_format")
        _check_wav(data, ">" if data[:4] == b"RIFX" else "<")
    elif data[:4] == b"OggS":
        _check_ogg(data)


def _check_wav(data: bytes, order: str) -> None:
    chunk, offset = struct.Struct(f"{order}4sI"), 12
    while offset + chunk.size <= len(data):
        name, size = chunk.unpack_from(data, offset)
        offset += chunk.size
        if name == b"fmt ":
            _check_coding(data[offset : offset + size], order)
        if name == b"data":
            if size not in _STREAMED and offset + size > len(data):
                raise InputError(f"it ends after {len(data) - offset:,} of {size:,} bytes of sound", code="truncated")
            return
        offset += size + size % 2


def _check_coding(head: bytes, order: str) -> None:
    coding = int.from_bytes(head[:2], "little" if order == "<" else "big")
    if coding == _EXTENSIBLE:
        coding = int.from_bytes(head[24:26], "little" if order == "<" else "big")
    if coding not in _CODINGS:
        raise InputError(f"its samples are coded as WAV's {coding}, and not as PCM or floats", code="unknown_format")


def _check_ogg(data: bytes) -> None:
    """Each page by its checksum: libsndfile leaves out damaged ones, and what follows the first recording."""
    offset = starts = 0
    while offset < len(data):
        if offset + _PAGE.size > len(data) or data[offset : offset + 4] != b"OggS":
            raise InputError("its last page is cut off, or no page of Ogg", code="truncated")
        *_, kind, _, _, _, checksum, segments = _PAGE.unpack_from(data, offset)
        end = offset + _PAGE.size + segments
        end += sum(data[offset + _PAGE.size : end])
        if end > len(data):
            raise InputError("its last page is cut off", code="truncated")
        page = data[offset : offset + _CHECKSUM_AT] + bytes(4) + data[offset + _CHECKSUM_AT + 4 : end]
        if _ogg_checksum(page) != checksum:
            raise InputError(f"the page of Ogg at byte {offset:,} is damaged", code="damaged")
        starts += bool(kind & _FIRST_PAGE)
        offset = end
    if starts != 1:
        raise InputError(f"it holds {starts} streams, and not one recording", code="bad_value")


def _ogg_checksum(page: bytes) -> int:
    """CRC-32 with the most significant bit first, from 0: zlib's, of mirrored bytes and mirrored."""
    found = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{found:032b}"[::-1], 2)


_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
