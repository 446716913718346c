"""Boxes that were found in the tiles of an image, as those of the image: moved, and each thing once."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lit_infer.images import boxes as geometry
from lit_infer.images.tiles import Grid, Tile

_OVERLAP = 0.5
"""Of two boxes of different tiles, where the facts say nothing of boxes of one."""
_NEAR_EDGE = 0.01
"""What ends so close to an edge of its tile, by its side, goes on beyond it."""


def kept(found: Sequence[tuple[Tile, Any]], grid: Grid, overlap: float | None) -> list[int]:
    """Which of the things found in tiles stay, the best first. Their boxes are in pixels of their tile."""
    if not found:
        return []
    tiles = np.array([tile.row * len(grid.lefts) + tile.column for tile, _ in found])
    corners = np.array([(tile.left, tile.top) * 2 for tile, _ in found], np.float64)
    boxes = np.array([one.box for _, one in found], np.float64) + corners
    labels, scores = (np.array([getattr(one, name) for _, one in found]) for name in ("index", "score"))
    is_cut = _are_cut(boxes, corners, grid)
    order = np.lexsort((-scores, is_cut))  # what a tile shows whole comes first
    stay = geometry.of_tiles(
        boxes[order],
        labels[order],
        tiles[order],
        is_cut[order],
        overlap=_OVERLAP if overlap is None else overlap,
    )
    left = order[stay]
    best: list[int] = left[np.argsort(-scores[left], kind="stable")].tolist()
    return best


def _are_cut(boxes: Any, corners: Any, grid: Grid) -> Any:
    """Whether a box reaches an edge of its tile that is not one of the image."""
    near = _NEAR_EDGE * min(grid.tile_width, grid.tile_height)
    ends = corners[:, :2] + (grid.tile_width, grid.tile_height)
    before = (boxes[:, :2] - corners[:, :2] < near) & (corners[:, :2] > 0)
    after = (ends - boxes[:, 2:] < near) & (ends < (grid.width, grid.height))
    return (before | after).any(1)
