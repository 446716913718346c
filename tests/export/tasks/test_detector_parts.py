"""lit_export.tasks.detector_parts: images are resized as torchvision's detectors resize them."""

import pytest
import torch
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from lit_export.tasks.detector_parts import are_alike, in_pixels_of, padded, resized


@pytest.mark.parametrize("size", [(48, 72), (90, 41), (64, 64)])
@pytest.mark.parametrize("fixed", [None, (80, 56)])
def test_a_batch_becomes_what_the_module_s_own_transform_makes_of_its_images(
    size: tuple[int, int], fixed: tuple[int, int] | None
) -> None:
    own = GeneralizedRCNNTransform(64, 100, [0.4] * 3, [0.2] * 3, fixed_size=fixed).eval()
    images = torch.rand(2, 3, *size)
    expected, _ = own(list(images))

    sized = resized(own, images)

    assert tuple(sized.shape[2:]) == expected.image_sizes[0]
    torch.testing.assert_close(padded(own, sized), expected.tensors)


def test_boxes_go_back_to_pixels_of_the_images() -> None:
    images, boxes = torch.zeros(1, 3, 20, 40), torch.tensor([[[0.0, 0, 80, 30]]])

    assert in_pixels_of(images, boxes, (30, 80)).tolist() == [[[0, 0, 40, 20]]]


def test_the_same_boxes_in_another_order_are_alike_and_others_are_not() -> None:
    boxes = torch.tensor([[0.0, 0, 9, 9], [5, 5, 9, 9]])
    own = {"scores": torch.tensor([0.5, 0.5]), "labels": torch.tensor([1, 2]), "boxes": boxes}
    scores, labels, corners = (own[name].numpy() for name in ("scores", "labels", "boxes"))

    assert are_alike(own, scores, labels[::-1], corners[::-1])
    assert not are_alike(own, scores, labels, corners + 1)
    assert not are_alike(own, scores, labels[::-1], corners)
    assert not are_alike(own, scores[:1], labels[:1], corners[:1])
