from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from torch import Tensor, nn

from lit_export.tasks import answers
from lit_infer.errors import UsageError
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
    assert tokens.outputs[0].shape == ("batch", 3)
    assert tokens.warnings[0].startswith(
        "the module answers 16 x 3 values for each image: its embedding is their mean over"
    )
    assert tokens.assumed == tokens.warnings
    assert (tokens.facts.answers, pooled.facts.answers) == ({"pool": "mean"}, {})


@pytest.mark.parametrize(
    ("pool", "size", "expected"),
    [
        ("mean", 3, lambda tokens: tokens.mean(1)),
        ("cls", 3, lambda tokens: tokens[:, 0]),
        ("all", 48, lambda tokens: tokens.reshape(len(tokens), -1)),
    ],
)
def test_of_tokens_the_mean_the_first_or_all_are_the_embedding_as_was_said(
    pool: str, size: int, expected: Callable[[Any], Any]
) -> None:
    facts = replace(FACTS, answers={"output": "last_hidden_state", "pool": pool})

    target = target_for(Transformer(pools=True).eval(), facts)

    assert target.outputs[0].shape == ("batch", size)
    tokens = target.example[0].reshape(2, 16, 3).astype(np.float32) / 255
    np.testing.assert_allclose(answers(target.module, target.example)[0], expected(tokens), rtol=1e-5)


def test_maps_are_averaged_and_what_cannot_be_is_refused() -> None:
    class Map(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images

    target = target_for(Map().eval(), FACTS)
    np.testing.assert_allclose(
        answers(target.module, target.example)[0], target.example[0].mean((1, 2)) / 255, rtol=1e-4
    )
    for module, stated, message in (
        (Map(), {"pool": "cls"}, r"cls is for tokens \[batch, n, size\], and the module answers 3 x 4 x 4"),
        (Features(3), {"pool": "mean"}, "pool: mean: the module answers one vector for each image already"),
        (
            Transformer(pools=True),
            {"output": "cls_token"},
            r"nothing called cls_token; it answers last_hidden_state \[2, 16, 3\], pooler",
        ),
    ):
        with pytest.raises(UsageError, match=message):
            target_for(module.eval(), replace(FACTS, answers=stated))
