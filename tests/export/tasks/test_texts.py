"""Modules on texts, as users write them: what their graph takes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lit_export.front.tokenizer import text_facts
from lit_export.options import Options
from lit_export.tasks import Target, answers
from lit_infer.errors import UsageError
from lit_infer.manifest import DeploymentFacts
from lit_infer.rows.facts import RowFields, TextField
from tests.support.targets import target_for
from tests.support.texts import TextNet, write_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("tok"))


def made(
    folder: Path,
    module: nn.Module | None = None,
    *,
    labels: Any = None,
    options: Any = None,
    pooled: Any = None,
    **text: Any,
) -> Target:
    """`pooled`: the answers' facts of an embedding."""
    facts = TextField(**{**text_facts(Options(tokenizer=folder)), **text})
    task = "text-classification" if pooled is None else "text-embedding"
    described = DeploymentFacts(task=task, labels=labels, answers=pooled or {}, fields=RowFields(text=facts))
    return target_for((module or TextNet()).eval(), described, tokenizer=folder, **(options or {}))


def test_the_inputs_are_those_that_forward_names(folder: Path) -> None:
    target = made(folder)

    assert [(one.name, one.dtype, one.shape) for one in target.inputs] == [
        ("input_ids", "int64", ("batch", "length")),
        ("attention_mask", "int64", ("batch", "length")),
    ]
    assert target.facts.fields is not None
    assert target.facts.fields.text is not None
    assert target.facts.fields.text.inputs == {"input_ids": "ids", "attention_mask": "mask"}
    found = answers(target.module, target.example)[0]
    assert torch.allclose(torch.from_numpy(found).sum(1), torch.ones(2))


class Bag(nn.Module):
    """A module with an argument of its own name."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.EmbeddingBag(150, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.body(tokens)


def test_a_first_argument_of_another_name_is_the_ids(folder: Path) -> None:
    target = made(folder, Bag(), padding="fixed")

    assert [(one.name, one.shape) for one in target.inputs] == [("tokens", ("batch", 12))]


class OfBatch(nn.Module):
    """A module that takes a batch of the data loader. `how` it reads it."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.body, self.how = TextNet(), how

    def forward(self, batch: Any) -> Tensor:
        if self.how == "all":
            return self.body(**batch)
        mask = batch.get("attention_mask") if self.how == "mask" else torch.ones_like(batch["input_ids"])
        return self.body(batch["input_ids"], mask)


@pytest.mark.parametrize(
    ("how", "names"),
    [("all", ["input_ids", "attention_mask"]), ("mask", ["input_ids", "attention_mask"]), ("ids", ["input_ids"])],
)
def test_a_module_that_takes_a_batch_gets_what_it_reads_of_it(how: str, names: list[str], folder: Path) -> None:
    target = made(folder, OfBatch(how), padding="fixed")

    found = answers(target.module, target.example)[0]

    assert [one.name for one in target.inputs] == names
    ids, mask = torch.from_numpy(target.example[0]), torch.ones(target.example[0].shape)
    with torch.no_grad():
        wanted = TextNet().eval()(ids, torch.from_numpy(target.example[1]) if len(names) == 2 else mask)
    np.testing.assert_allclose(found, torch.softmax(wanted, -1), rtol=1e-5)


def test_what_does_not_fit_is_told(folder: Path) -> None:
    with pytest.raises(UsageError, match="3 labels are given and the model has 2 classes"):
        made(folder, labels=("a", "b", "c"))
    with pytest.raises(UsageError, match="come from its tokenizer"):
        made(folder, options={"inputs": ("4",)})
    facts = DeploymentFacts(
        task="text-classification", fields=RowFields(text=TextField(tokenizer_sha256="0" * 64, max_length=8))
    )
    with pytest.raises(UsageError, match="text-classification needs its tokenizer: --tokenizer FOLDER"):
        target_for(TextNet().eval(), facts)


class Tokens(nn.Module):
    """A vector for each token, as encoders answer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Embedding(150, 3)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Any:
        del attention_mask
        return {"last_hidden_state": self.body(input_ids), "pooler_output": self.body(input_ids)[:, 0]}


@pytest.mark.parametrize("pooling", ["mean", "first", None])
@pytest.mark.parametrize("unit", [True, False])
def test_a_text_s_vector_is_that_of_its_tokens(folder: Path, pooling: str | None, unit: bool) -> None:
    module = Tokens()
    target = made(folder, module, pooled={"pooling": pooling, "unit": unit})
    ids, mask = (torch.tensor([row]) for row in ([2, 9, 11, 3, 0, 0], [1, 1, 1, 1, 0, 0]))

    (found,) = answers(target.module, (ids.numpy(), mask.numpy()))

    tokens = module.body(ids)[0].detach()
    wanted = tokens[:4].mean(0) if pooling == "mean" else tokens[0]
    assert np.allclose(found[0], wanted / (wanted.norm() if unit else 1), atol=1e-6)
    assert (target.outputs[0].name, target.outputs[0].shape) == ("embedding", ("batch", 3))


class Ids(nn.Module):
    """A vector for each token, without a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Embedding(150, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.body(tokens)


@pytest.mark.parametrize(
    ("module", "pooled", "text", "said"),
    [
        (Ids, {}, {}, r"For the mean of its tokens, or the first one's, say so in --spec"),
        (Ids, {"pooling": "mean"}, {}, "pooling mean needs to know the padding"),
        (Ids, {"pooling": "first"}, {"padding_side": "left"}, "padded on the right"),
        (TextNet, {"pooling": "first"}, {}, "pooling first is for a vector for each token"),
    ],
)
def test_how_tokens_are_pooled_must_be_known(folder: Path, module: Any, pooled: Any, text: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        made(folder, module(), pooled=pooled, **text)
