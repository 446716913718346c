"""A recurrent tagger of long sequences: truncated back-propagation through time, by manual optimisation."""

import lightning.pytorch as pl
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Adam
from torchmetrics.classification import MulticlassAccuracy

from lit_trainer.modules.step_metrics import log_step

Batch = tuple[Tensor, Tensor]  # tokens int64 [batch, time], tags int64 [batch, time]


class SequenceTagger(pl.LightningModule):
    """An embedding, a GRU and a linear layer: one tag for every token.

    A training step cuts the sequences into chunks and takes an optimizer step for each. The hidden state is passed from
    chunk to chunk, the gradient is not, so memory is bounded by the chunk and not by the sequence.
    """

    def __init__(  # noqa: PLR0913 - a parameter is an option of the command
        self,
        vocabulary: int,
        num_tags: int,
        embedding: int = 32,
        hidden: int = 64,
        chunk: int = 16,  # steps; the longest dependency that the gradient sees
        *,
        learning_rate: float = 1e-2,  # ten times Adam's default: the network is small, and the gradient is clipped
        gradient_clip: float = 1.0,  # norm; recurrent gradients explode, and the trainer's own is for automatic steps
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.recurrent = nn.GRU(embedding, hidden, batch_first=True)
        self.head = nn.Linear(hidden, num_tags)
        self.train_accuracy = MulticlassAccuracy(num_tags, average="micro", validate_args=False)
        self.val_accuracy = MulticlassAccuracy(num_tags, average="micro", validate_args=False)
        self.test_accuracy = MulticlassAccuracy(num_tags, average="micro", validate_args=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits float32 [batch, time, tags] for tokens int64 [batch, time]."""
        return self.advance(tokens, None)[0]

    def advance(self, tokens: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Logits [batch, time, tags], and the hidden state [1, batch, hidden] from which the next chunk continues."""
        outputs, state_after = self.recurrent(self.embedding(tokens), state)
        return self.head(outputs), state_after

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """An optimizer step per chunk; logs train_loss and train_acc per step and per epoch."""
        tokens, tags = batch
        optimizer: LightningOptimizer = self.optimizers()  # type: ignore[assignment] # one: configure_optimizers
        state = None
        logits, total = [], torch.zeros((), device=self.device)
        for chunk_tokens, chunk_tags in zip(self._chunks(tokens), self._chunks(tags), strict=True):
            chunk_logits, state = self.advance(chunk_tokens, state)
            loss = _loss(chunk_logits, chunk_tags)
            self._descend(optimizer, loss)
            state = state.detach()  # the truncation: what follows does not reach back beyond here
            logits.append(chunk_logits.detach())
            total += loss.detach() * chunk_tags.shape[1]  # the last chunk may be shorter
        self._log("train", total / tags.shape[1], torch.cat(logits, dim=1), tags, self.train_accuracy)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Logs val_loss and val_acc, the share of tokens with the right tag."""
        tokens, tags = batch
        logits = self(tokens)
        self._log("val", _loss(logits, tags), logits, tags, self.val_accuracy)

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Logs test_loss and test_acc."""
        if batch_idx == 0:
            self.test_accuracy.reset()  # each of several loaders by itself
        tokens, tags = batch
        logits = self(tokens)
        self._log("test", _loss(logits, tags), logits, tags, self.test_accuracy)

    def predict_step(self, batch: Batch | Tensor, batch_idx: int) -> Tensor:
        """Tags int64 [batch, time], of tokens with tags or without."""
        logits: Tensor = self(batch if isinstance(batch, Tensor) else batch[0])
        return logits.argmax(dim=-1)

    def configure_optimizers(self) -> Adam:
        """Adam at one learning rate."""
        return Adam(self.parameters(), lr=self.hparams["learning_rate"])

    def _chunks(self, sequences: Tensor) -> tuple[Tensor, ...]:
        return torch.split(sequences, self.hparams["chunk"], dim=1)

    def _descend(self, optimizer: LightningOptimizer, loss: Tensor) -> None:
        optimizer.zero_grad()
        self.manual_backward(loss)
        self.clip_gradients(optimizer.optimizer, gradient_clip_val=self.hparams["gradient_clip"])
        optimizer.step()

    def _log(self, stage: str, loss: Tensor, logits: Tensor, tags: Tensor, accuracy: MulticlassAccuracy) -> None:
        accuracy(logits.flatten(0, 1), tags.flatten())
        log_step(self, stage, loss, {"acc": accuracy}, batch_size=len(tags))


def _loss(logits: Tensor, tags: Tensor) -> Tensor:
    """Mean cross-entropy over all tokens."""
    return functional.cross_entropy(logits.flatten(0, 1), tags.flatten())
