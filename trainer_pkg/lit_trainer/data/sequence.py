"""Generated sequences that can only be tagged by remembering everything before."""

from collections.abc import Sequence

import torch
from torch.utils.data import TensorDataset

from lit_trainer.data.base import HeldOut, SplitDataModule


class SequenceDataModule(SplitDataModule):
    """Tokens int64 [batch, length] and tags int64 [batch, length]: the sum of the tokens so far, modulo `num_tags`.

    The tag at each position depends on every token up to it, so state has to be carried from chunk to chunk.
    """

    def __init__(  # noqa: PLR0913 - each is an option of the configuration
        self,
        *,
        vocabulary: int = 4,
        num_tags: int = 4,
        length: int = 64,
        train_size: int = 2048,
        held_out_size: int = 256,
        batch_size: int = 64,
        num_workers: int = 0,  # the sequences are in memory; workers would only copy them
        seed: int = 0,
        test_on: Sequence[HeldOut] = ("test",),
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers, test_on=test_on)
        self.vocabulary, self.num_tags, self.length = vocabulary, num_tags, length
        self.train_size, self.held_out_size = train_size, held_out_size
        self.seed = seed

    def setup(self, stage: str) -> None:
        """Make the sets that the stage needs, each from its own seed."""
        if self.needs("train", stage):
            self.train_set = self._generate(self.train_size, seed=3 * self.seed)
        if self.needs("val", stage):
            self.val_set = self._generate(self.held_out_size, seed=3 * self.seed + 1)
        if self.needs("test", stage) or self.needs("predict", stage):
            self.test_set = self.predict_set = self._generate(self.held_out_size, seed=3 * self.seed + 2)

    def _generate(self, count: int, *, seed: int) -> TensorDataset:
        generator = torch.Generator().manual_seed(seed)
        tokens = torch.randint(self.vocabulary, (count, self.length), generator=generator)
        return TensorDataset(tokens, tokens.cumsum(dim=1) % self.num_tags)
