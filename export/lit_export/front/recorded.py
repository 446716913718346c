"""What a checkpoint's contents say about themselves. A damaged or foreign one may hold anything at any key."""

import ast
import re
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from lit_export.front.plain_values import TensorOutline
from lit_infer import manifest
from lit_infer.manifest import CHECKPOINT_KEY, CheckpointRecord, Score

_MONITOR = "ModelCheckpoint"
_STEP = re.compile(r"step=(\d{1,18})(?!\d)")
AVERAGED = ("ema_state_dict", "state_dict_ema")
"""Where tools other than Lightning store averaged weights, next to the raw ones in `state_dict`."""
RAW = "current_model_state"
"""Where Lightning's WeightAveraging keeps the raw weights; `state_dict` then holds the averaged ones."""


_IS_AVERAGE = re.compile(r"EMA|Ema|SWA|(?<![A-Za-z])(?:ema|swa)(?![a-z])|[Aa]verag|[Ss]hadow")
_PREFIXES = ("", "module.", "model.", "pl_module.")

WEIGHTS = ("model_state_dict", "model_state", "model", "net", "weights", "params", "module", "network")
"""Where files that Lightning did not write have their weights, first choice first."""


def is_state_dict(value: Any) -> bool:
    """Whether a value is a table of named tensors and of nothing else."""
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(name, str) and isinstance(item, TensorOutline) for name, item in value.items())
    )


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


def averaged_by_callback(contents: dict[Any, Any]) -> tuple[str, dict[str, Any]] | None:
    """Averaged weights in the state of a callback, as EMA callbacks keep them: where they are, and all of the weights.

    Such a callback may average the parameters only: what it lacks is as in `state_dict`.
    """
    raw = table(contents, "state_dict")
    for name, state in table(contents, "callbacks").items():
        for key, value in state.items() if isinstance(state, dict) else ():
            if is_state_dict(value) and _IS_AVERAGE.search(f"{name} {key}"):
                found = next((one for one in map(partial(_less, value), _PREFIXES) if one.keys() <= raw.keys()), None)
                if found is not None:
                    return f"{key} of the callback {str(name)[:60]}", {**raw, **found}
    return None


def _less(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Without a prefix that all names have."""
    return {name.removeprefix(prefix): value for name, value in state.items()}


def record(contents: dict[str, Any], where: str) -> CheckpointRecord | None:
    """What lit_trainer's DeploymentFacts stored."""
    stored = contents.get(CHECKPOINT_KEY)
    if stored is None:
        return None
    return manifest.convert(stored, CheckpointRecord, where=f"{where}: {CHECKPOINT_KEY}")


def score(contents: dict[Any, Any], names: Collection[str]) -> Score | None:
    """The score that a ModelCheckpoint measured for these weights. `names`: those that their file had or has.

    A ModelCheckpoint's state is in every file that the trainer saves, also in a `last.ckpt` of later weights and in
    another callback's. Its score is that of these weights where the state says so: it lists their file by name, or a
    file of the same step.
    """
    measured = [found for item in table(contents, "callbacks").items() if (found := _measured(*item)) is not None]
    step = contents.get("global_step")
    candidates = [
        (_file_name(path), key, state, value) for key, state, scores in measured for path, value in scores.items()
    ]
    by_name = [found for found in candidates if found[0] in names and _step(found[0]) in (None, step)]
    by_step = [found for found in candidates if step is not None and _step(found[0]) == step]
    scores = (_score(key, state, value) for _, key, state, value in by_name + by_step)
    return next((score for score in scores if score is not None), None)


def replace_scores(contents: dict[Any, Any], number: Callable[[Any], float | None]) -> None:
    """Put numbers where ModelCheckpoints have tensors of one, for a reader without torch."""
    for state in table(contents, "callbacks").values():
        for part in (state, table(state, "best_k_models")):
            for key, value in part.items() if isinstance(part, dict) else ():
                if (found := number(value)) is not None:
                    part[key] = found


def _measured(key: object, state: object) -> tuple[str, dict[Any, Any], dict[str, Any]] | None:
    """The key, the state and the scores by file of a ModelCheckpoint that monitors something."""
    if not (isinstance(key, str) and key.startswith(_MONITOR) and isinstance(state, dict)):
        return None
    if state.get("monitor") is None:
        return None
    best = [(state.get("best_model_path"), state.get("best_model_score")), *table(state, "best_k_models").items()]
    return key, state, {path: value for path, value in best if isinstance(path, str) and path}


def _file_name(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _step(name: str) -> int | None:
    """The step that a file's name tells, as Lightning writes it: `epoch=3-step=1200.ckpt`."""
    found = _STEP.search(name)
    return int(found[1]) if found else None


def _score(key: str, state: dict[Any, Any], value: Any) -> Score | None:
    try:  # the key is the callback's name followed by its settings as a literal
        mode = ast.literal_eval(key.removeprefix(_MONITOR)[:2000])["mode"]
        return manifest.convert({"monitor": state["monitor"], "mode": mode, "value": float(value)}, Score, where=key)
    except (ValueError, SyntaxError, LookupError, TypeError, RuntimeError, MemoryError, OverflowError):
        return None
