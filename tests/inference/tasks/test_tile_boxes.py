"""lit_infer.tasks.tile_boxes: each thing once, the whole one before a part of it."""

from lit_infer.images.tiles import Grid, Tile, Tiles
from lit_infer.tasks.object_detection import FoundBox
from lit_infer.tasks.tile_boxes import kept

GRID = Grid.of(Tiles(size=100, overlap=20), 180, 100)
LEFT, RIGHT = GRID
"""They begin at 0 and at 80."""


def box(left: float, top: float, right: float, bottom: float, *, score: float = 0.9, index: int = 0) -> FoundBox:
    return FoundBox(str(index), index, score, (left, top, right, bottom))


def kept_of(*found: tuple[Tile, FoundBox], overlap: float | None = None) -> list[int]:
    return kept(found, GRID, overlap)


def test_of_one_thing_in_two_tiles_the_better_one_stays() -> None:
    one, other = (LEFT, box(82, 10, 98, 30, score=0.6)), (RIGHT, box(2, 10, 18, 30, score=0.8))

    assert kept_of(one, other) == [1]
    assert kept_of(one, (RIGHT, box(2, 10, 18, 30, index=1))) == [1, 0]
    assert kept_of(one, (RIGHT, box(2, 40, 18, 60, score=0.5))) == [0, 1]


def test_boxes_of_one_tile_were_compared_before() -> None:
    assert kept_of((LEFT, box(10, 10, 30, 30)), (LEFT, box(10, 10, 30, 31, score=0.5))) == [0, 1]


def test_a_part_gives_way_to_the_whole_even_if_it_scores_more() -> None:
    part, whole = (LEFT, box(85, 10, 100, 30, score=0.9)), (RIGHT, box(5, 10, 60, 30, score=0.4))

    assert kept_of(part, whole) == [1]
    assert kept_of((LEFT, box(85, 10, 98, 30, score=0.9)), whole) == [0, 1]  # whole, inside another


def test_an_edge_of_the_image_cuts_nothing() -> None:
    inside = (LEFT, box(82, 0, 97, 20, score=0.9))

    assert kept_of(inside, (RIGHT, box(2, 0, 40, 20, score=0.5))) == [0, 1]


def test_the_facts_say_how_much_may_overlap() -> None:
    one, other = (LEFT, box(82, 10, 98, 30)), (RIGHT, box(2, 10, 18, 46, score=0.8))

    assert kept_of(one, other) == [0]
    assert kept_of(one, other, overlap=0.6) == [0, 1]
    assert kept_of() == []
