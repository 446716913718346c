"""The command that exports what has been trained, ready to paste."""

import inspect
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import lightning.pytorch as pl
import msgspec
import yaml

from lit_infer.engines import ENGINES  # the first is what most want
from lit_infer.manifest import BatchTensor
from lit_infer.tasks import TASKS
from lit_trainer.callbacks.deployment_facts import CheckpointRecord, class_path

_OWN = "lit_trainer."


def export_line(
    source: Sequence[str], module: pl.LightningModule, record: CheckpointRecord, *, init_args: Mapping[str, Any]
) -> str:
    """`lit-export onnx` of a checkpoint, which `source` names, with everything that the checkpoint does not record.

    `init_args`: what the module was made with. Where that is an object, which cannot be given as text, a second line
    says what to do.
    """
    words = ["lit-export", next(iter(ENGINES)), *source]
    if not type(module).__module__.startswith(_OWN):
        words += ["--class", class_path(module, separator=":")]
    unsaved = _unsaved(module, init_args)
    objects = [name for name, value in unsaved.items() if not _is_plain(value)]
    for name, value in unsaved.items():
        if name not in objects:
            words += ["--hparam", f"{name}={_as_yaml(value)}"]
    task = TASKS[record.facts(module.trainer).task]
    if not task.takes_images and not task.has_fields and module.example_input_array is None:
        words += _inputs(module, record)
    folder = getattr(getattr(module.trainer, "datamodule", None), "tokenizer_folder", None)
    if task.has_text and folder is not None:
        words += ["--tokenizer", str(folder)]
    line = f"next: {shlex.join(words)}"
    if objects:
        line += (
            f"\n{', '.join(objects)} cannot be given as text: --class must name a subclass of "
            f"{type(module).__qualname__} whose __init__ builds {'it' if len(objects) == 1 else 'them'}"
        )
    return line


def _unsaved(module: pl.LightningModule, init_args: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that neither the checkpoint nor the class knows."""
    if getattr(module, "_hparams_name", None) not in (None, "kwargs"):
        return {}  # save_hyperparameters(a_dict): one argument has them all
    defaults = _defaults(type(module))
    return {
        name: value
        for name, value in init_args.items()
        if name not in module.hparams and (name not in defaults or defaults[name] != value)
    }


def _defaults(cls: type) -> dict[str, Any]:
    """The defaults of a class's arguments, also of those that it hands on to its bases as `**options`."""
    found: dict[str, Any] = {}
    for base in cls.__mro__:
        if "__init__" not in vars(base):
            continue
        taken = inspect.signature(vars(base)["__init__"]).parameters.values()
        found = {item.name: item.default for item in taken} | found
        if not any(item.kind is item.VAR_KEYWORD for item in taken):
            break
    return found


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return "class_path" not in value and all(_is_plain(part) for part in value.values())
    if isinstance(value, tuple | list):
        return all(_is_plain(part) for part in value)
    return value is None or isinstance(value, bool | int | float | str)


def _as_yaml(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10_000)
    return text.strip().removesuffix("...").strip()


def _inputs(module: pl.LightningModule, record: CheckpointRecord) -> list[str]:
    """`--input` for each input of `forward`, if these were seen and share a batch."""
    found = record.inputs or _from_batch(module, record.batch or ())
    if not found:
        return []
    if any(not tensor.shape or tensor.shape[0] != found[0].shape[0] for tensor in found):
        return []
    first = list(inspect.signature(module.forward).parameters)[: len(found)]
    named = record.by_keyword or [tensor.name for tensor in found] != first
    return [word for tensor in found for word in ("--input", _as_input(tensor, module, named=named))]


def _as_input(tensor: BatchTensor, module: pl.LightningModule, *, named: bool) -> str:
    """`[name=]3x224x224[:dtype[:low..high]]`; floats follow the weights, unless the class itself makes them float64."""
    shape = "x".join(str(side) for side in tensor.shape[1:])
    is_float = tensor.dtype.startswith(("float", "bfloat"))
    own = tensor.dtype == "float64" and module.trainer.precision != "64-true"
    dtype = f":{tensor.dtype}" if own or not is_float or not (shape or named) else ""
    shown = "" if tensor.range is None else f":{tensor.range[0]}..{tensor.range[1]}"
    return (f"{tensor.name}=" if named else "") + shape + dtype + shown


def _from_batch(module: pl.LightningModule, batch: Sequence[BatchTensor]) -> Sequence[BatchTensor]:
    """The first tensors of the batch, one for each argument that `forward` must have."""
    taken = inspect.signature(module.forward).parameters.values()
    needed = [
        item.name
        for item in taken
        if item.default is item.empty and item.kind in (item.POSITIONAL_ONLY, item.POSITIONAL_OR_KEYWORD)
    ]
    by_name = {tensor.name: tensor for tensor in batch}
    if all(name in by_name for name in needed):
        return [by_name[name] for name in needed]
    return [msgspec.structs.replace(batch[0], name=needed[0])] if batch and len(needed) == 1 else ()
