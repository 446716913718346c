"""lit_trainer.data.sequence: every tag depends on all the tokens before it."""

from typing import Any

import torch

from lit_trainer.data import SequenceDataModule


def made(**options: Any) -> Any:
    data = SequenceDataModule(train_size=40, held_out_size=10, length=12, batch_size=8, **options)
    for stage in ("fit", "test", "predict"):
        data.setup(stage)
    return data


def test_the_tag_is_the_running_sum_modulo_the_number_of_tags() -> None:
    data = made(vocabulary=5, num_tags=3)
    tokens, tags = next(iter(data.train_dataloader()))
    assert tokens.shape == tags.shape == (8, 12)
    assert tokens.dtype == tags.dtype == torch.int64
    assert tokens.max() < 5
    for row, tagged in zip(tokens.tolist(), tags.tolist(), strict=True):
        assert tagged == [sum(row[: place + 1]) % 3 for place in range(12)]


def test_the_sets_are_seeded_and_differ() -> None:
    data, again, other = made(), made(), made(seed=1)
    tokens = [each.train_set.tensors[0] for each in (data, again, other)]
    assert torch.equal(tokens[0], tokens[1])
    assert not torch.equal(tokens[0], tokens[2])
    assert not torch.equal(data.val_set.tensors[0], data.test_set.tensors[0])
    rows = {tuple(row) for each in (data.train_set, data.val_set, data.test_set) for row in each.tensors[0].tolist()}
    assert len(rows) == 40 + 10 + 10  # disjoint, with 4 ** 12 sequences to draw from


def test_there_is_nothing_to_say_of_deployment() -> None:
    assert not hasattr(SequenceDataModule, "deployment_facts")
    assert {len(loader) for loader in (made().val_dataloader(), made().predict_dataloader())} == {2}
