import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lit_export.tasks import answers
from lit_infer.manifest import DeploymentFacts, Resize, Step
from tests.support.targets import target_for

FACTS = DeploymentFacts(task="image-embedding", preprocess=(Step(resize=Resize(size=(4, 4))),))


class Features(nn.Module):
    """The means of the channels, in some shape after the batch."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3)).sum(1) if not self.shape else images.mean((2, 3)).view(-1, *self.shape)


@pytest.mark.parametrize(("shape", "size"), [((3,), 3), ((3, 1, 1), 3), ((1, 3), 3), ((), 1)])
def test_features_are_flattened_after_the_batch_and_one_value_is_a_feature_too(
    shape: tuple[int, ...], size: int
) -> None:
    target = target_for(Features(*shape).eval(), FACTS)
    images = np.full((2, 4, 4, 3), [0, 51, 255], dtype=np.uint8)

    (found,) = answers(target.module, (images,))

    assert [tensor.name for tensor in target.outputs] == ["embedding"]
    assert target.outputs[0].shape == ("batch", size)
    expected = [0, 0.2, 1] if size == 3 else [1.2]
    np.testing.assert_allclose(found, [expected] * 2, rtol=1e-6)
    assert torch.from_numpy(found).dtype == torch.float32


class Transformer(nn.Module):
    """Answers its tokens and, if it pools, one vector too."""

    def __init__(self, *, pools: bool) -> None:
        super().__init__()
        self.pools = pools

    def forward(self, images: Tensor) -> dict[str, Tensor | None]:
        tokens = images.flatten(2).transpose(1, 2)
        return {"last_hidden_state": tokens, "pooler_output": tokens[:, 0] if self.pools else None}


def test_the_pooled_features_of_a_transformer_are_taken_and_all_of_its_tokens_only_with_a_word() -> None:
    pooled, tokens = (target_for(Transformer(pools=pools).eval(), FACTS) for pools in (True, False))

    assert pooled.outputs[0].shape == ("batch", 3)
    assert "pooler_output is taken, and last_hidden_state left out" in pooled.warnings[0]
    assert tokens.outputs[0].shape == ("batch", 48)
    assert tokens.warnings[0].startswith("the module answers 16 x 3 values for each image, and all 48 are its")
    assert tokens.assumed == tokens.warnings
