"""Lightning's GLUE example: a transformers model called with keyword arguments; its configuration is in hparams."""

import lightning as L
import torch
from transformers import AutoModelForSequenceClassification, BertConfig


class GLUETransformer(L.LightningModule):
    def __init__(
        self, config: BertConfig, num_labels: int, task_name: str = "mrpc", learning_rate: float = 2e-5, **kwargs
    ):
        super().__init__()
        self.save_hyperparameters()
        self.model = AutoModelForSequenceClassification.from_config(config)

    def forward(self, **inputs):
        return self.model(**inputs)

    def training_step(self, batch, batch_idx):
        return self(**batch)[0]

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self(**batch)[0])

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=self.hparams.learning_rate)
