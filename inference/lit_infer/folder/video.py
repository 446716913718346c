"""The frames of a video file, one after the other, as images with a time.

A frame becomes the bytes of an uncompressed image (PPM), so that all that is known of images holds for it: limits,
thumbnails, masks at the original size. FFmpeg decodes, through PyAV (extra `video`), and turns it as the file says.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.errors import InputError, UsageError, require
from lit_infer.images.limits import DEFAULT_LIMITS

SUFFIXES = frozenset(".avi .m4v .mkv .mov .mp4 .mpeg .mpg .ts .webm .wmv".split())  # noqa: SIM905 - a line

ReadFrame = Callable[[int], bytes]
"""The frame as an image of at most that many bytes; a larger one is an InputError. Valid until the next is taken."""


@dataclass(frozen=True, slots=True)
class Every:
    """Which frames: each so many, or one where so many seconds have passed since the last one."""

    frames: int = 1
    seconds: float = 0.0

    @classmethod
    def parse(cls, text: str | None) -> "Every":
        """`5`, `0.5s`; None: all of them. Raises UsageError."""
        if text is None:
            return cls()
        found = re.fullmatch(r"(\d+)|(\d+(?:\.\d+)?)s", text.strip())
        every = found and (cls(int(found[1])) if found[1] else cls(seconds=float(found[2])))
        if not every or not (every.frames if found and found[1] else every.seconds):
            raise UsageError(f"--every {text}: give a number of frames (5), or seconds (0.5s)")
        return every

    def __str__(self) -> str:
        return f"{self.seconds:g}s" if self.seconds else str(self.frames)


@dataclass(frozen=True, slots=True)
class Frame:
    """One image of a video."""

    seconds: float
    read: ReadFrame


def is_video(path: Path) -> bool:
    """Whether a name has the suffix of a video."""
    return path.suffix.lower() in SUFFIXES


def check() -> None:
    """Raise MissingExtraError where videos cannot be read."""
    require("av", extra="video", purpose="Reading a video")


def frames(path: Path, every: Every) -> Iterator[Frame]:
    """Its frames, in the order in which they are shown. Raises InputError for a file that is no video, or damaged."""
    import av

    try:
        with av.open(path, metadata_errors="replace") as container:
            if not container.streams.video:
                raise InputError("no video in the file, only sound", code="bad_video")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            stream.codec_context.options = {"max_pixels": str(DEFAULT_LIMITS.max_pixels)}  # before FFmpeg makes room
            last = None
            for number, frame in enumerate(container.decode(stream)):
                seconds = _seconds(frame, number, stream)
                if number % every.frames or (every.seconds and last is not None and seconds < last + every.seconds):
                    continue
                last = seconds
                yield Frame(seconds, lambda limit, frame=frame: _image(frame, limit))  # type: ignore[misc]
    except (InputError, GeneratorExit):
        raise
    except Exception as error:  # FFmpeg's errors, each a class of its own
        said = str(error).partition("\n")[0] or type(error).__name__
        raise InputError(f"the video is damaged here: {said}", code="bad_video") from None


def count(path: Path, every: Every) -> int | None:
    """How many frames the file says that it has; None where it does not say, or only times are asked for."""
    import av

    try:
        with av.open(path, metadata_errors="replace") as container:
            said = container.streams.video[0].frames
    except Exception:  # `frames` says what is wrong
        return None
    return -(-said // every.frames) if said and not every.seconds else None


def _seconds(frame: Any, number: int, stream: Any) -> float:
    """When the frame is shown; by its number where the file does not say."""
    if frame.time is not None:
        return float(frame.time)
    return number / float(stream.average_rate or 25)


def _image(frame: Any, limit: int) -> bytes:
    """The frame as PPM, upright."""
    width, height, turned = frame.width, frame.height, round(frame.rotation / 90) % 4
    if (size := width * height * 3 + 32) > limit:
        raise InputError(f"{size:,} bytes, of {width} x {height} pixels; the limit is {limit:,}", code="too_many_bytes")
    pixels: NDArray[np.uint8] = frame.to_ndarray(format="rgb24")
    if turned:
        pixels = np.ascontiguousarray(np.rot90(pixels, turned))
        height, width = pixels.shape[:2]
    return b"P6 %d %d 255\n" % (width, height) + pixels.tobytes()
