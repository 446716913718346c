"""lit_infer.images.pasting: small masks lie on the image as torchvision lays them."""

import numpy as np
import pytest

from lit_infer.images.pasting import pasted


def test_masks_are_pasted_as_torchvision_pastes_them() -> None:
    torch = pytest.importorskip("torch")
    from torchvision.models.detection.roi_heads import paste_masks_in_image

    generator = np.random.default_rng(0)
    for _ in range(60):
        height, width = (int(side) for side in generator.integers(5, 200, 2))
        mask = generator.random((28, 28), np.float32)
        centre, half = generator.uniform(0, 1, 2) * (width, height), generator.uniform(0, 0.7, 2) * (width, height)
        box = np.concatenate([centre - half, centre + half]).astype(np.float32)  # may reach beyond the image

        part, (top, left) = pasted(mask, box, (height, width))

        found = np.zeros((height, width), np.float32)
        found[top : top + part.shape[0], left : left + part.shape[1]] = part
        images = torch.from_numpy(mask[None, None]), torch.from_numpy(box[None])
        expected = paste_masks_in_image(*images, (height, width))[0, 0].numpy()
        np.testing.assert_allclose(found, expected, atol=2e-6)
        assert np.array_equal(found >= 0.5, expected >= 0.5)


@pytest.mark.parametrize("box", [(-9, 2, -5, 4), (2, 30, 4, 33), (30, 2, 33, 4)])
def test_nothing_is_pasted_of_a_box_beside_the_image(box: tuple[int, ...]) -> None:
    part, _ = pasted(np.ones((28, 28), np.float32), np.array(box, np.float32), (20, 20))

    assert part.size == 0
