"""Keep a checkpoint with real inputs, and with what the package's own loaded module answers for others."""

import dataclasses
import json
import logging
import os
import shutil
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

warnings.filterwarnings("ignore")
for name in ("lightning", "lightning.pytorch", "pytorch_lightning", "darts"):
    logging.getLogger(name).setLevel(logging.ERROR)
torch.set_num_threads(1)
FOLDER = Path(os.environ["LIT_CHECKPOINTS"])
QUIET: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}


def flat(value: object, name: str = "") -> dict[str, np.ndarray]:
    """Arrays of nested outputs by dotted name; what is no tensor is left out."""
    if isinstance(value, torch.Tensor):
        return {name or "output": value.detach().cpu().numpy()}
    if dataclasses.is_dataclass(value) and not hasattr(value, "items"):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elif hasattr(value, "_asdict"):
        value = value._asdict()
    elif isinstance(value, (list, tuple)):
        value = dict(enumerate(value))
    parts = value.items() if hasattr(value, "items") else ()
    return {key: array for part, item in parts for key, array in flat(item, f"{name}.{part}".strip(".")).items()}


def record(
    name: str, package: str, path: str | Path, *, proof: dict[str, Any], held: dict[str, Any], answers: object
) -> None:
    """NAME.ckpt as written; NAME.npz, inputs to prove on; NAME.held.npz, others with the module's own answers."""
    shutil.copyfile(path, FOLDER / f"{name}.ckpt")
    np.savez(FOLDER / f"{name}.npz", **flat(proof))
    inputs = {f"in.{key}": array for key, array in flat(held).items()}
    np.savez(FOLDER / f"{name}.held.npz", **inputs, **{f"out.{key}": array for key, array in flat(answers).items()})
    (FOLDER / f"{name}.json").write_text(json.dumps({"package": package, "version": version(package)}))
    print(f"made {name}", flush=True)


@torch.no_grad()
def answers_of(module: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
    """What the module answers in eval mode."""
    return module.eval()(*args, **kwargs)
