"""The pixels of a TIFF part by part, as it stores them: a large one is never in memory as a whole.

Each strip or tile of the file is put behind a header of its own and decoded by Pillow as if it were a file: so all
compressions that Pillow reads can be read in parts, with the pixels that it gives the whole file.
"""

import io
from typing import IO, Any, NamedTuple

from PIL import Image, TiffImagePlugin

from lit_infer.errors import InputError
from lit_infer.images.header import open_header, raise_own_limit
from lit_infer.images.limits import Limits

_WIDTH, _HEIGHT, _OFFSETS, _ROWS, _COUNTS, _PLANES, _ORIENTATION = 256, 257, 273, 278, 279, 284, 274
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS = 322, 323, 324, 325
_BITS, _COMPRESSION = 258, 259
_KEPT = (258, 259, 262, 266, 277, 284, 292, 293, 317, 338, 339, 347, 529, 530, 531, 532)
"""Tags that say how a part is decoded: bits, compression, colours, predictor, JPEG's tables and so on."""
_LONG = 4
_MODES = frozenset({"L", "RGB", "CMYK", "I;16", "I;16B", "I", "F"})
"""Without a palette, and without transparency, which would have to be known before all parts are read."""
_MOST = 2**24
"""Pixels of a part: one that has more saves no memory."""
_CUT_ROWS = 64
"""Rows of a part of a file that is stored in one piece, without compression."""
_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_IFH = {b"II": b"II*\0\0\0\0\0", b"MM": b"MM\0*\0\0\0\0"}
"""By the order of the bytes: how a file begins."""


class _Part(NamedTuple):
    """Where a strip or tile lies in the image, and in the file."""

    left: int
    top: int
    right: int
    bottom: int
    offset: int
    size: int


class Strips:
    """A TIFF whose pixels are read as they are asked for, from top to bottom. Close it."""

    def __init__(self, file: IO[bytes], header: Any, limits: Limits) -> None:
        self.header = header
        """The image, of which only the header is read."""
        self.size: tuple[int, int] = header.size
        self._file, self._limits = file, limits
        self._tags = header.tag_v2
        self._wide, self._tall, tables = _stored(self._tags, *self.size)
        self._parts = _parts(self.size, self._wide, self._tall, tables)
        self._decoded: dict[int, Image.Image] = {}

    def saves_memory(self, length: int) -> bool:
        """Whether there are several parts, none of them large, that share nothing of the file of so many bytes."""
        is_apart = sum(part.size for part in self._parts) <= length
        return is_apart and len(self._parts) > 1 and self._wide * self._tall <= _MOST

    def crop(self, left: int, top: int, right: int, bottom: int) -> Image.Image:
        """The pixels of a box. Later calls have no smaller `top`: what lies above it is forgotten.

        Raises InputError for a part that cannot be decoded.
        """
        across = -(-self.size[0] // self._wide)
        for index in [index for index in self._decoded if self._parts[index].bottom <= top]:
            del self._decoded[index]
        made = Image.new(self.header.mode, (right - left, bottom - top))
        for row in range(top // self._tall, -(-bottom // self._tall)):
            for column in range(left // self._wide, -(-right // self._wide)):
                index = row * across + column
                part = self._parts[index]
                box = (
                    max(left, part.left) - part.left,
                    max(top, part.top) - part.top,
                    min(right, part.right) - part.left,
                    min(bottom, part.bottom) - part.top,
                )
                made.paste(self._decode(index).crop(box), (part.left + box[0] - left, part.top + box[1] - top))
        return made

    def close(self) -> None:
        """Let the file go."""
        self._decoded.clear()
        self._file.close()

    def _decode(self, index: int) -> Image.Image:
        if (known := self._decoded.get(index)) is not None:
            return known
        part = self._parts[index]
        try:
            self._file.seek(part.offset)
            data = self._file.read(part.size)
            if len(data) < part.size:
                raise InputError("cannot be decoded: the file ends within its pixels", code="undecodable")
            image = open_header(self._alone(part, data), self._limits)
            image.load()
        except InputError:
            raise
        except Exception as error:  # Pillow's decoders raise anything
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise InputError(f"cannot be decoded: {reason}", code="undecodable") from None
        if image.mode != self.header.mode:
            raise InputError(f"cannot be decoded: a part of it is {image.mode}", code="undecodable")
        self._decoded[index] = image
        return image

    def _alone(self, part: _Part, data: bytes) -> bytes:
        """A part as a file: one strip, whose rows may be a stored tile's, with what lies beyond the image."""
        tags = self._tags
        directory = TiffImagePlugin.ImageFileDirectory_v2(ifh=_IFH[tags.prefix])
        height = self._tall if _TILE_OFFSETS in tags else part.bottom - part.top
        for tag in _KEPT:
            if tag in tags:
                directory.tagtype[tag] = tags.tagtype[tag]
                directory[tag] = tags[tag]
        placed = {_WIDTH: self._wide, _HEIGHT: height, _ROWS: height, _COUNTS: len(data), _OFFSETS: 0}
        for tag, value in placed.items():
            directory.tagtype[tag] = _LONG
            directory[tag] = value
        file = io.BytesIO()
        directory.save(file)
        file.write(data)
        return file.getvalue()


def open_strips(path: Any, limits: Limits) -> Strips | None:
    """A TIFF file in parts; None for what has to be read as a whole, or is no TIFF at all.

    Raises InputError for one that is over a limit, OSError for one that cannot be read.
    """
    file = open(path, "rb")  # noqa: SIM115 - the strips close it
    try:
        found = _opened(file, limits) if "TIFF" in limits.formats else None
    except BaseException:
        file.close()
        raise
    if found is None:
        file.close()
    return found


def _opened(file: IO[bytes], limits: Limits) -> Strips | None:
    if file.read(4) not in _MAGIC:
        return None
    length = file.seek(0, io.SEEK_END)
    limits.check_bytes(length)
    file.seek(0)
    raise_own_limit(limits)
    try:
        header: Any = TiffImagePlugin.TiffImageFile(file, "")
        tags = header.tag_v2
        if header.mode not in _MODES or tags.get(_PLANES, 1) != 1 or tags.get(_ORIENTATION, 1) != 1:
            return None
        width, height = header.size
        limits.check_pixels(width, height)
        limits.check_ratio(width, height, length)
        found = Strips(file, header, limits)
    except InputError:
        raise
    except Exception:  # whoever reads the whole file says what is wrong with it
        return None
    return found if found.saves_memory(length) else None


def _stored(tags: Any, width: int, height: int) -> tuple[int, int, list[tuple[int, int]]]:
    """(width, height) of the parts of a file, and the offset and the bytes of each."""
    if _TILE_OFFSETS in tags:
        found = zip(tags[_TILE_OFFSETS], tags[_TILE_COUNTS], strict=True)
        return int(tags[_TILE_WIDTH]), int(tags[_TILE_HEIGHT]), list(found)
    tall = min(int(tags.get(_ROWS, height)), height)
    tables = list(zip(tags[_OFFSETS], tags[_COUNTS], strict=True))
    if len(tables) > 1 or tags.get(_COMPRESSION, 1) != 1:
        return width, tall, tables
    row = -(-width * sum(tags.get(_BITS, (1,))) // 8)
    ((offset, size),) = tables
    if size != row * height:
        raise ValueError("the rows do not have the bytes that are usual")
    tops = range(0, height, _CUT_ROWS)
    return width, _CUT_ROWS, [(offset + top * row, min(_CUT_ROWS, height - top) * row) for top in tops]


def _parts(size: tuple[int, int], wide: int, tall: int, tables: list[tuple[int, int]]) -> list[_Part]:
    """All parts, row by row. Raises ValueError for a file whose tables do not fit its size."""
    width, height = size
    corners = [(x, y) for y in range(0, height, tall) for x in range(0, width, wide)]
    return [
        _Part(x, y, min(x + wide, width), min(y + tall, height), *table)
        for (x, y), table in zip(corners, tables, strict=True)
    ]
