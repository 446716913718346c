"""Train each for a few steps, log its checkpoints to W&B, and print where they are."""

import lightning.pytorch as pl
import numpy as np
import torch
import wandb
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import WandbLogger
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from seeds.autoencoder import LitAutoEncoder
from seeds.cifar import CifarNet
from seeds.gan import GAN, SamplingGAN
from seeds.mnist import MnistMLP
from seeds.supervised import SmallNet, Supervised

MEAN, STD = 0.5, 0.25


def loaders(size, channels):
    """The handwritten digits of scikit-learn, enlarged; normalized as the files in spec/ say."""
    digits = load_digits()
    images = torch.from_numpy(digits.images[:96].astype(np.float32) / 16)[:, None]
    images = nn.functional.interpolate(images, (size, size)).expand(-1, channels, -1, -1).contiguous()
    data = TensorDataset((images - MEAN) / STD, torch.from_numpy(digits.target[:96]))
    return DataLoader(data, batch_size=32, shuffle=True), DataLoader(data, batch_size=32)


def train(model, size, channels):
    """One run; its checkpoints become versions of the artifact model-ID."""
    logger = WandbLogger(project="proj", log_model="all")
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=logger,
        callbacks=[ModelCheckpoint(monitor="val_loss", mode="min")],
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
    )
    trainer.fit(model, *loaders(size, channels))
    print(type(model).__name__, logger.experiment.id, trainer.checkpoint_callback.best_model_path)
    wandb.finish()


def main():
    pl.seed_everything(1)
    train(CifarNet(), 32, 3)
    train(Supervised(SmallNet(), nn.CrossEntropyLoss(), lr=0.01), 32, 3)
    train(MnistMLP(), 28, 1)
    train(LitAutoEncoder(), 28, 1)
    train(GAN(), 28, 1)
    train(SamplingGAN(), 28, 1)


if __name__ == "__main__":
    main()
