"""A small network on texts: the mean of their tokens' embeddings, and a hidden layer."""

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from lit_infer.tasks import text
from lit_trainer.modules.classification import ClassifierModule


class EmbeddingClassifier(ClassifierModule):
    """One of several classes for each text; the order of its tokens does not count."""

    deployment_task = text.CLASSIFICATION.name

    def __init__(
        self,
        vocabulary: int,
        num_classes: int,
        size: int = 64,
        dropout: float = 0.3,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(num_classes)
        self.save_hyperparameters()
        self.embedding = nn.Embedding(vocabulary, size, padding_idx=0)
        self.head = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(size, size), nn.ReLU(), nn.Dropout(dropout), nn.Linear(size, num_classes)
        )

    def forward(self, input_ids: Tensor) -> Tensor:
        """Logits float32 [batch, classes] for token ids int64 [batch, tokens], 0 where there is none."""
        is_token = (input_ids != 0).unsqueeze(-1).to(torch.float32)
        mean = (self.embedding(input_ids) * is_token).sum(1) / is_token.sum(1).clamp(min=1)
        logits: Tensor = self.head(mean)
        return logits

    def configure_optimizers(self) -> AdamW:
        """AdamW at one learning rate."""
        return AdamW(self.parameters(), lr=self.hparams["learning_rate"], weight_decay=self.hparams["weight_decay"])
