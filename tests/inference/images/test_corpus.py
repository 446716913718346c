"""Real files, damaged in every way that disks and networks have: no crash, no wrong pixel, no harm to a neighbour."""

import io
import tracemalloc
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lit_infer.errors import InputError
from lit_infer.images import Limits, prepare
from lit_infer.predictor import Predictor
from tests.inference.tiny import colour
from tests.support.pictures import FILES, PIPELINES, png_header

CODES = {"empty", "unknown_format", "undecodable", "too_many_pixels", "bad_shape"}
KINDS = ("jpeg-420", "jpeg-progressive", "jpeg-gray", "jpeg-cmyk", "png-rgb", "png-palette", "png-16-bit", "webp",
         "webp-lossless-alpha", "bmp", "tiff", "tiff-deflate", "gif", "gif-animated")  # fmt: skip
STEPS = PIPELINES["bilinear"]
LIMITS = Limits(max_pixels=1_000_000)
EACH = 100


def truncations(data: bytes) -> Iterator[bytes]:
    """The file, cut: at the first bytes, where headers are, and all along."""
    cuts = {*range(10), *np.linspace(10, len(data) - 1, EACH // 2 - 10, dtype=int).tolist()}
    yield from (data[:cut] for cut in sorted(cuts))


def mutations(data: bytes, seed: int) -> Iterator[bytes]:
    """The file with bytes changed, swapped away, doubled or zeroed; half of the time in its header."""
    generator = np.random.default_rng(seed)
    for number in range(EACH // 2):
        changed = bytearray(data)
        place = int(generator.integers(0, min(len(data), 64) if number % 2 else len(data)))
        size = int(generator.integers(1, 9))
        match number % 5:
            case 0:
                changed[place] ^= 1 << int(generator.integers(8))
            case 1:
                changed[place : place + size] = generator.bytes(size)
            case 2:
                del changed[place : place + size]
            case 3:
                changed[place:place] = changed[place : place + size]
            case _:
                changed[place : place + size] = bytes(size)
        yield bytes(changed)


def damaged(kind: str) -> list[bytes]:
    data = FILES[kind](61, 47)
    return [*truncations(data), *mutations(data, seed=KINDS.index(kind))]


def as_trained(data: bytes) -> NDArray[np.uint8] | None:
    """What a training loader sees in the file; None where it sees nothing."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))
    except Exception:
        return None


def outcome(data: bytes) -> str | NDArray[np.uint8]:
    """The pixels, or the code of the error; nothing else may happen."""
    try:
        return prepare(data, steps=(), channels=3, limits=LIMITS)
    except InputError as error:
        return error.code


def test_the_corpus_is_large() -> None:
    assert sum(len(set(damaged(kind))) for kind in KINDS) > 1_200


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_has_a_code_or_the_pixels_that_training_sees(kind: str) -> None:
    outcomes: Counter[str] = Counter()
    for data in damaged(kind):
        found = outcome(data)
        outcomes[found if isinstance(found, str) else "read"] += 1
        if not isinstance(found, str):
            np.testing.assert_array_equal(found, as_trained(data))

    assert set(outcomes) <= {*CODES, "read"}
    assert sum(outcomes.values()) >= EACH
    assert outcomes["unknown_format"] > 0


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_the_neighbours_of_damaged_files_are_answered_as_if_they_were_whole(kind: str, predictor: Predictor) -> None:
    whole, files = FILES[kind](61, 47), damaged(kind)
    neighbours = [colour("red", 17), whole]

    (expected_red, expected_whole) = predictor.predict(neighbours, batch_size=8)
    mixed = [item for data in files for item in (neighbours[0], data, neighbours[1])]
    found = predictor.predict(mixed, batch_size=8, limits=LIMITS)

    assert len(found) == len(mixed)
    assert set(found[0::3]) == {expected_red}
    assert set(found[2::3]) == {expected_whole}
    assert all((one.code in CODES) if one.error else one.label for one in found[1::3])


@pytest.mark.parametrize("name", ["png", "gif", "bmp", "tiff", "webp"])
def test_a_bomb_is_refused_before_it_takes_memory(name: str) -> None:
    side = 16_000 if name == "webp" else 40_000
    small = io.BytesIO()
    Image.new("L", (16, 16)).save(small, name)
    data = {
        "png": lambda: png_header(side, side),
        "gif": lambda: data_with(small.getvalue(), 6, side.to_bytes(2, "little") * 2),
        "bmp": lambda: data_with(small.getvalue(), 18, side.to_bytes(4, "little") * 2),
        "tiff": lambda: tiff_of(small.getvalue(), side),
        "webp": lambda: webp_of(side),
    }[name]()

    tracemalloc.start()
    try:
        with pytest.raises(InputError) as caught:
            prepare(data, steps=STEPS, channels=3)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert caught.value.code == "too_many_pixels"
    assert peak < 5 * 2**20


def data_with(data: bytes, place: int, new: bytes) -> bytes:
    """The bytes with some of them replaced."""
    return data[:place] + new + data[place + len(new) :]


def tiff_of(data: bytes, side: int) -> bytes:
    """A TIFF file that claims another width and height: tags 256 and 257 of its directory."""
    start = int.from_bytes(data[4:8], "little")
    for entry in range(int.from_bytes(data[start : start + 2], "little")):
        place = start + 2 + 12 * entry
        if int.from_bytes(data[place : place + 2], "little") in (256, 257):
            data = data_with(data, place + 2, (4).to_bytes(2, "little") + (1).to_bytes(4, "little"))
            data = data_with(data, place + 8, side.to_bytes(4, "little"))
    return data


def webp_of(side: int) -> bytes:
    """A lossless WebP file that claims a size, with no pixels behind it."""
    size = (side - 1) | (side - 1) << 14
    stream = b"\x2f" + size.to_bytes(4, "little") + bytes(64)
    chunk = b"VP8L" + len(stream).to_bytes(4, "little") + stream + bytes(len(stream) % 2)
    return b"RIFF" + (4 + len(chunk)).to_bytes(4, "little") + b"WEBP" + chunk
