"""lit_export.tasks.query_masks: MaskFormer's classes and masks of queries, as scores of pixels."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lit_export.tasks import answers
from lit_infer.manifest import DeploymentFacts, Resize, Step
from tests.support.targets import target_for

SIZE = (8, 12)


class Queries(nn.Module):
    """Five queries of three classes and "no object", with masks of half the size."""

    def __init__(self) -> None:
        super().__init__()
        self.classes = nn.Parameter(torch.randn(1, 5, 4))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        masks = nn.functional.avg_pool2d(10 * images, 2)[:, [0, 1, 2, 0, 1]] - torch.arange(5.0)[None, :, None, None]
        return {"class_queries_logits": self.classes.expand(len(images), -1, -1), "masks_queries_logits": masks}


def test_classes_and_masks_of_queries_are_added_up_as_mask2former_does() -> None:
    """By hand, as transformers' `post_process_semantic_segmentation` does: enlarge, sigmoid, add up, best class."""
    torch.manual_seed(0)
    module = Queries().eval()
    facts: Any = DeploymentFacts(task="image-segmentation", preprocess=(Step(resize=Resize(size=SIZE)),))

    found = target_for(module, facts)

    raw = module(torch.from_numpy(found.example[0].astype(np.float32)).permute(0, 3, 1, 2) * (1 / 255))
    masks = nn.functional.interpolate(raw["masks_queries_logits"], SIZE, mode="bilinear").sigmoid()
    wanted = torch.einsum("bqc,bqhw->bchw", raw["class_queries_logits"].softmax(-1)[..., :-1], masks)
    (shares,) = answers(found.module, found.example)
    assert found.outputs[0].shape == ("batch", 3, *SIZE)
    assert np.array_equal(shares.argmax(1), wanted.argmax(1).numpy())
    assert np.allclose(shares.sum(1), 1, atol=1e-5)
    assert any("added up from class_queries_logits and masks_queries_logits" in one for one in found.warnings)
