"""pytorch-tabular: TabularModel.fit and save_model; model.ckpt in the folder that it saves."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pytorch_tabular import TabularModel
from pytorch_tabular.config import DataConfig, OptimizerConfig, TrainerConfig
from pytorch_tabular.models import (
    CategoryEmbeddingModelConfig,
    FTTransformerConfig,
    GANDALFConfig,
    TabTransformerConfig,
)
from record import FOLDER, answers_of, record

NOISE = np.random.default_rng(0)
DATA = pd.DataFrame(
    {
        "age": NOISE.uniform(20, 70, 200),
        "income": NOISE.normal(50, 10, 200),
        "score": NOISE.normal(0, 1, 200),
        "city": NOISE.choice(["x", "y", "z"], 200),
        "kind": NOISE.choice(["p", "q"], 200),
    }
)
DATA["bought"] = ((DATA.age > 45) ^ (DATA.city == "x")).astype(int)
SMALL: dict[str, Any] = {"task": "classification", "input_embed_dim": 8, "num_heads": 2, "num_attn_blocks": 1}
MODELS: dict[str, Any] = {
    "category-embedding": CategoryEmbeddingModelConfig(task="classification", layers="16-8"),
    "ft-transformer": FTTransformerConfig(**SMALL),
    "gandalf": GANDALFConfig(task="classification", gflu_stages=2),
    "tab-transformer": TabTransformerConfig(**SMALL),
}


def make(name: str, config: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        trainer: dict[str, Any] = {"limit_train_batches": 2, "enable_model_summary": False}
        model = TabularModel(
            data_config=DataConfig(["bought"], ["age", "income", "score"], ["city", "kind"]),
            model_config=config,
            optimizer_config=OptimizerConfig(),
            trainer_config=TrainerConfig(
                32, max_epochs=1, accelerator="cpu", progress_bar="none", trainer_kwargs=trainer
            ),
            verbose=False,
        )
        model.fit(train=DATA[:120])
        model.save_model("saved")
        loaded = TabularModel.load_model("saved")
        proof, held = (_inputs(loaded, rows) for rows in (DATA[120:190], DATA[190:]))
        shutil.copytree("saved", FOLDER / f"pytorch-tabular-{name}", dirs_exist_ok=True)
        answers = answers_of(loaded.model, dict(held))
        record(
            f"pytorch-tabular-{name}",
            "pytorch-tabular",
            Path("saved/model.ckpt"),
            proof=proof,
            held=held,
            answers=answers,
        )


def _inputs(model: TabularModel, rows: pd.DataFrame) -> dict[str, Any]:
    model.datamodule.batch_size = len(rows)
    batch = next(iter(model.datamodule.prepare_inference_dataloader(rows)))
    return {key: batch[key] for key in ("continuous", "categorical")}


for name, config in MODELS.items():
    make(name, config)
