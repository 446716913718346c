"""What a checkpoint's contents say about themselves. A damaged or foreign one may hold anything at any key."""

import ast
from typing import Any

from lit_infer import manifest
from lit_infer.manifest import CHECKPOINT_KEY, CheckpointRecord, Score

_MONITOR = "ModelCheckpoint"
AVERAGED = ("ema_state_dict", "state_dict_ema")
"""Where tools other than Lightning store averaged weights, next to the raw ones in `state_dict`."""
RAW = "current_model_state"
"""Where Lightning's WeightAveraging keeps the raw weights; `state_dict` then holds the averaged ones."""


def table(contents: Any, key: str) -> dict[Any, Any]:
    """The dict at a key; empty where there is none, or something else."""
    found = contents.get(key) if isinstance(contents, dict) else None
    return found if isinstance(found, dict) else {}


def hparams(contents: dict[str, Any]) -> dict[str, Any]:
    """The hyperparameters, also where older checkpoints have them."""
    found: dict[Any, Any] = {}
    for key in ("hparams", "module_arguments", "hyper_parameters"):
        found.update(table(contents, key))
    return {key: value for key, value in found.items() if isinstance(key, str)}


def record(contents: dict[str, Any], where: str) -> CheckpointRecord | None:
    """What lit_trainer's DeploymentFacts stored."""
    stored = contents.get(CHECKPOINT_KEY)
    if stored is None:
        return None
    return manifest.convert(stored, CheckpointRecord, where=f"{where}: {CHECKPOINT_KEY}")


def score(contents: dict[str, Any]) -> Score | None:
    """What the ModelCheckpoint that saved these weights measured for them."""
    for key, state in table(contents, "callbacks").items():
        if not (isinstance(key, str) and key.startswith(_MONITOR) and isinstance(state, dict)):
            continue
        if state.get("monitor") is None or state.get("current_score") is None:
            continue
        try:  # the key is the callback's name followed by its settings as a literal
            mode = ast.literal_eval(key.removeprefix(_MONITOR)[:2000])["mode"]
            return manifest.convert(
                {"monitor": state["monitor"], "mode": mode, "value": float(state["current_score"])}, Score, where=key
            )
        except (ValueError, SyntaxError, LookupError, TypeError, RuntimeError, MemoryError, OverflowError):
            continue
    return None
