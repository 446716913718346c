"""lit_infer.images.boxes: overlaps, and which of many boxes stay."""

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lit_infer.images.boxes import apart, areas, overlaps


def drawn(seed: int, count: int) -> Any:
    generator = np.random.default_rng(seed)
    corners = generator.integers(0, 30, (count, 2))
    return np.concatenate([corners, corners + generator.integers(0, 20, (count, 2))], axis=1).astype(np.float32)


def test_areas_are_products_of_sides_and_crossed_sides_have_none() -> None:
    assert areas(np.array([[0, 0, 2, 3], [5, 5, 4, 9]], np.float32)).tolist() == [6, 0]


def test_boxes_overlap_by_the_share_of_their_union() -> None:
    found = overlaps(np.array([[0.0, 0, 2, 2]]), np.array([[0.0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]]))

    assert found[0] == pytest.approx([1, 1 / 3, 0])
    assert overlaps(np.zeros((1, 4)), np.zeros((1, 4))).tolist() == [[0]]  # two points


@given(st.integers(0, 2**32 - 1), st.integers(0, 25), st.floats(0, 1))
@example(32768, 21, 0.2)  # two overlap by a fifth
def test_what_stays_is_what_torchvision_keeps(seed: int, count: int, overlap: float) -> None:
    torch = pytest.importorskip("torch")
    from torchvision.ops import batched_nms, box_iou

    boxes, labels = drawn(seed, count), np.random.default_rng(seed).integers(0, 3, count)
    scores = np.linspace(1, 0.1, count, dtype=np.float32)

    assert np.allclose(overlaps(boxes, boxes), np.nan_to_num(box_iou(*[torch.from_numpy(boxes)] * 2).numpy()))
    expected = batched_nms(torch.from_numpy(boxes), torch.from_numpy(scores), torch.from_numpy(labels), overlap)
    assert apart(boxes, labels, overlap=overlap) == sorted(expected.tolist())
