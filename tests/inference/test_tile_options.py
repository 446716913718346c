"""lit_infer.tile_options: --tiles and --tile-overlap."""

import pytest

from lit_infer import Tiles
from lit_infer.errors import UsageError
from lit_infer.tile_options import tiles


def test_what_is_given_is_what_load_takes() -> None:
    assert tiles(None, None) is True
    assert tiles("none", None) is False
    assert tiles("512", None) == Tiles(size=512)
    assert tiles("512", 0) == Tiles(size=512, overlap=0)


@pytest.mark.parametrize(
    ("size", "overlap", "words"),
    [
        ("5k", None, "--tiles 5k: a number of pixels, as in --tiles 512, or none"),
        ("4", None, "--tiles 4: tiles of 4 x 4 pixels: a side has at least 8"),
        ("512", 300, "--tiles 512: an overlap of 300 pixels: it is from 0 to half a tile's shorter side, 256"),
        (None, 8, "--tile-overlap is for tiles of a size: give --tiles N too"),
        ("none", 8, "--tile-overlap is for tiles of a size: give --tiles N too"),
    ],
)
def test_what_means_nothing_is_refused(size: str | None, overlap: int | None, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        tiles(size, overlap)

    assert str(caught.value) == words
