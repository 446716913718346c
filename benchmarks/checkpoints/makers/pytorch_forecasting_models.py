"""pytorch-forecasting as in its tutorials: TimeSeriesDataSet, from_dataset, Trainer.fit with ModelCheckpoint."""

import tempfile
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pandas as pd
import torch
from pytorch_forecasting import (
    DeepAR,
    GroupNormalizer,
    NBeats,
    NHiTS,
    TemporalFusionTransformer,
    TimeSeriesDataSet,
)
from pytorch_forecasting.metrics import NormalDistributionLoss, QuantileLoss
from record import QUIET, answers_of, record

pl.seed_everything(1, verbose=False)
NOISE = np.random.default_rng(0)
STEPS = np.arange(80)
DATA = pd.concat(
    pd.DataFrame(
        {
            "series": name,
            "time_idx": STEPS,
            "month": (STEPS % 12).astype(str),
            "price": NOISE.uniform(1, 2, 80),
            "sales": np.sin(STEPS / 6) * 3 + 10 + NOISE.normal(0, 0.3, 80),
        }
    )
    for name in ("a", "b", "c", "d")
).reset_index(drop=True)
UNIVARIATE = {"min_encoder_length": 24, "time_varying_unknown_reals": ["sales"]}
COVARIATES = {
    "min_encoder_length": 24,
    "static_categoricals": ["series"],
    "time_varying_known_categoricals": ["month"],
    "time_varying_known_reals": ["price", "time_idx"],
    "time_varying_unknown_reals": ["sales"],
    "target_normalizer": GroupNormalizer(groups=["series"], transformation="softplus"),
    "add_relative_time_idx": True,
    "add_target_scales": True,
    "add_encoder_length": True,
}
MODELS: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "tft": (
        TemporalFusionTransformer,
        COVARIATES,
        {"hidden_size": 8, "hidden_continuous_size": 4, "loss": QuantileLoss()},
    ),
    "nbeats": (NBeats, UNIVARIATE, {"widths": [16, 32], "backcast_loss_ratio": 0.1}),
    "nhits": (NHiTS, UNIVARIATE, {"hidden_size": 16, "loss": QuantileLoss()}),
    "deepar": (DeepAR, UNIVARIATE, {"hidden_size": 8, "rnn_layers": 1, "loss": NormalDistributionLoss()}),
}


def make(name: str, cls: Any, columns: dict[str, Any], options: dict[str, Any]) -> None:
    sizes = {"max_encoder_length": 24, "max_prediction_length": 6}
    train = TimeSeriesDataSet(DATA[DATA.time_idx < 70], "time_idx", "sales", ["series"], **sizes, **columns)
    later = TimeSeriesDataSet.from_dataset(train, DATA, predict=True, stop_randomization=True)
    last = later.to_dataloader(train=False, batch_size=8)
    model = cls.from_dataset(train, optimizer="adam", **options)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = pl.callbacks.ModelCheckpoint(folder, monitor="val_loss")
        callbacks = [checkpoint, pl.callbacks.EarlyStopping("val_loss")]
        trainer = pl.Trainer(max_epochs=1, limit_train_batches=4, accelerator="cpu", callbacks=callbacks, **QUIET)
        trainer.fit(model, train.to_dataloader(train=True, batch_size=8), last)
        proof, _ = next(iter(train.to_dataloader(train=True, batch_size=64)))
        held, _ = next(iter(last))
        loaded = cls.load_from_checkpoint(checkpoint.best_model_path, weights_only=False)
        answers = answers_of(loaded, dict(held))
        record(
            f"pytorch-forecasting-{name}",
            "pytorch-forecasting",
            checkpoint.best_model_path,
            proof=proof,
            held=held,
            answers=answers,
        )


for name, model in MODELS.items():
    torch.manual_seed(0)
    make(name, *model)
