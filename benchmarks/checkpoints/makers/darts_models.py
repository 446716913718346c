"""darts with save_checkpoints=True: the best-*.ckpt in its work folder."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from darts import TimeSeries
from darts.models import NBEATSModel, TCNModel, TFTModel, TiDEModel, TransformerModel
from darts.utils.likelihood_models.torch import QuantileRegression
from record import answers_of, record

NOISE = np.random.default_rng(0)
STEPS = np.arange(200)
SERIES = TimeSeries.from_values((np.sin(STEPS / 6) + NOISE.normal(0, 0.1, 200)).astype(np.float32))
PAST = TimeSeries.from_values(NOISE.normal(0, 1, (200, 2)).astype(np.float32))
FUTURE = TimeSeries.from_values(
    np.stack([np.sin(np.arange(220) / 6), np.cos(np.arange(220) / 6)], 1).astype(np.float32)
)
ONE, BOTH = {"past_covariates": PAST}, {"past_covariates": PAST, "future_covariates": FUTURE}
SMALL_TFT = {"hidden_size": 8, "num_attention_heads": 2, "likelihood": QuantileRegression([0.1, 0.5, 0.9])}
SMALL_TIDE = {"hidden_size": 16, "decoder_output_dim": 4, "temporal_width_past": 2, "temporal_width_future": 2}
SMALL_TRANSFORMER = {"d_model": 16, "nhead": 2, "num_encoder_layers": 1, "num_decoder_layers": 1, "dim_feedforward": 32}
MODELS: dict[str, tuple[Any, TimeSeries, dict[str, TimeSeries], dict[str, Any]]] = {
    "nbeats": (NBEATSModel, SERIES, {}, {"num_stacks": 2, "num_blocks": 1, "num_layers": 2, "layer_widths": 16}),
    "tcn": (TCNModel, SERIES, ONE, {"num_filters": 4}),
    "tft": (TFTModel, SERIES, BOTH, SMALL_TFT),
    "tide": (TiDEModel, SERIES, BOTH, {**SMALL_TIDE, "use_reversible_instance_norm": True}),
    "transformer": (TransformerModel, SERIES.astype(np.float64), {}, SMALL_TRANSFORMER),  # float64 is darts' default
}


def make(name: str, cls: Any, series: TimeSeries, covariates: dict[str, TimeSeries], options: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        trainer = {"accelerator": "cpu", "enable_progress_bar": False, "limit_train_batches": 3}
        model = cls(
            *(24, 6), n_epochs=1, batch_size=16, random_state=0, model_name="it", work_dir=folder,
            save_checkpoints=True, pl_trainer_kwargs=trainer, **options,
        )  # fmt: skip
        later = {f"val_{key}": value for key, value in covariates.items()}
        model.fit(series[:120], val_series=series[80:], **covariates, **later)
        loaded = cls.load_from_checkpoint("it", work_dir=folder, best=True, trusted=True)
        proof, held = (_inputs(loaded, series, ends, covariates) for ends in (range(40, 120), range(140, 145)))
        path = next(Path(folder, "it", "checkpoints").glob("best-*.ckpt"))
        answers = answers_of(loaded.model, held)
        record(f"darts-{name}", "darts", path, proof=proof, held=held, answers=answers)


def _inputs(model: Any, series: TimeSeries, ends: range, covariates: dict[str, TimeSeries]) -> Any:
    """What predict gives to the module for the series up to each of these ends."""
    seen: list[Any] = []
    handle = model.model.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    known = {key: [value] * len(ends) for key, value in covariates.items()}
    model.predict(6, [series[:end] for end in ends], batch_size=len(ends), verbose=False, **known)
    handle.remove()
    return seen[0]


for name, model in MODELS.items():
    make(name, *model)
