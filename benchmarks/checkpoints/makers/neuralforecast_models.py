"""neuralforecast: what NeuralForecast.save wrote before 3.3, and since then the trainer's own checkpoint."""

import os
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from neuralforecast import NeuralForecast
from neuralforecast.losses.pytorch import DistributionLoss, MQLoss
from neuralforecast.models import LSTM, MLP, NHITS, PatchTST
from record import answers_of, record

SAVES = tuple(map(int, version("neuralforecast").split(".")[:2])) < (3, 3)
NOISE = np.random.default_rng(0)
DATA = pd.concat(
    pd.DataFrame(
        {
            "unique_id": f"{index:02}",
            "ds": pd.date_range("2020-01-01", periods=60),
            "y": np.sin(np.arange(60) / 5 + index) * (1 + index / 10) + NOISE.normal(0, 0.1, 60),
        }
    )
    for index in range(40)
)
MODELS: dict[str, tuple[Any, dict[str, Any]]] = {
    "nhits": (NHITS, {"mlp_units": [[16, 16]] * 3, "scaler_type": "standard", "loss": MQLoss(level=[80])}),
    "mlp": (MLP, {"hidden_size": 16, "num_layers": 1}),
    "patchtst": (
        PatchTST,
        {"hidden_size": 16, "n_heads": 2, "encoder_layers": 1, "linear_hidden_size": 16, "patch_len": 8},
    ),
    "lstm": (LSTM, {"encoder_hidden_size": 8, "decoder_hidden_size": 8, "loss": DistributionLoss("Normal")}),
}


def make(name: str, cls: Any, options: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        trainer = {} if SAVES else {"enable_checkpointing": True, "default_root_dir": folder, "logger": False}
        sizes = {"h": 6, "input_size": 24, "max_steps": 3, "batch_size": 40, "windows_batch_size": 16}
        model = cls(**sizes, **options, accelerator="cpu", enable_progress_bar=False, **trainer)
        forecast = NeuralForecast(models=[model], freq="D")
        forecast.fit(DATA)
        if SAVES:
            forecast.save("saved")
        path = next(Path(folder).rglob("*.ckpt"))
        loaded = NeuralForecast.load("saved").models[0] if SAVES else cls.load_from_checkpoint(path, weights_only=False)
        batch = _inputs(forecast)
        proof = {key: value[:32] for key, value in batch.items() if value is not None}
        held = {key: None if value is None else value[32:] for key, value in batch.items()}
        answers = answers_of(loaded, dict(held))
        record(
            f"neuralforecast-{'save-' if SAVES else ''}{name}",
            "neuralforecast",
            path,
            proof=proof,
            held=held,
            answers=answers,
        )


def _inputs(forecast: NeuralForecast) -> dict[str, Any]:
    """The dict that predict gives to the module."""
    seen: list[Any] = []
    handle = forecast.models[0].register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    forecast.predict()
    handle.remove()
    return seen[0]


for name, model in list(MODELS.items())[: 2 if SAVES else None]:
    make(name, *model)
