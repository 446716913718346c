"""The user's data module: set up as Lightning does, and a few batches of its validation data."""

import inspect
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader

from lit_export.front import config
from lit_export.front.find_class import find_object
from lit_export.inputs import lightning_parts, tree
from lit_export.options import Options
from lit_export.user_code import user_code
from lit_infer import progress
from lit_infer.errors import UsageError

_LOADERS = (
    ("val_dataloader", "validate", "validation"),
    ("test_dataloader", "test", "test"),
    ("predict_dataloader", "predict", "prediction"),
    ("train_dataloader", "fit", "training"),
)
"""A loader, the stage that it is set up for, and the word for its data; the first that is there."""
_BATCHES, _ROWS, _BYTES = 16, 64, 500_000_000
"""What is taken, at most; one batch in any case."""


@dataclass(frozen=True)
class RealBatches:
    """A few batches, as the loader gives them."""

    batches: tuple[Any, ...]
    source: str
    """Where they come from, in words."""


def real_batches(options: Options, module: object) -> RealBatches | None:
    """Batches of `--data-module`, or of the data that `--config` describes; None where there is neither."""
    if options.data_module is not None:
        name = options.data_module
        return _batches(_made(name), module, where=f"--data-module {name}", name=name)
    if options.config is None or options.input_file is not None:
        return None
    where = f"the data of {options.config}"
    data = config.data_module_of(options.config)
    return None if data is None else _batches(data, module, where=where, name=options.config.name)


def validation_data(options: Options) -> Any:
    """The data set behind the validation loader of `--data-module`, without what only selects from it."""
    name = options.data_module or ""
    data, where = _made(name), f"--data-module {name}"
    trainer = lightning_parts.trainer_for(data)
    with user_code(f"{where}: prepare_data"):
        if trainer is not None:
            data.trainer = trainer
            data.prepare_data()
    for loader, stage, _ in _LOADERS:
        if _has(data, loader) and (found := _loader(data, loader, stage, where)) is not None:
            found = next(iter(found.values())) if isinstance(found, Mapping) else found
            found = found[0] if isinstance(found, list | tuple) else found
            found = getattr(found, "dataset", found)
            while not hasattr(found, "transform") and hasattr(found, "dataset"):  # a Subset
                found = found.dataset
            return found
    raise UsageError(f"{where} has no data: it has none of {', '.join(one for one, _, _ in _LOADERS)}")


def _made(path: str) -> Any:
    """The data module at `pkg.mod:Data`, or what a function there returns."""
    found = find_object(path, option="--data-module")
    if not callable(found) or (hasattr(found, "val_dataloader") and not isinstance(found, type)):
        return found
    needed = [
        name
        for name, one in inspect.signature(found).parameters.items()
        if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]
    if needed:
        name = path.replace(":", ".").rpartition(".")[2]
        raise UsageError(
            f"--data-module {path} needs {', '.join(needed)}. Name a function without arguments that returns it: "
            f"def data(): return {name}({', '.join(f'{one}=...' for one in needed)})"
        )
    with user_code(f"--data-module {path}"):
        return found()


def _batches(data: Any, module: object, *, where: str, name: str) -> RealBatches:
    """The first batches of the first loader that has any."""
    trainer = lightning_parts.trainer_for(data)
    if trainer is not None:
        data.trainer = trainer
        with user_code(f"{where}: prepare_data"):
            data.prepare_data()
    elif not any(hasattr(data, loader) for loader, _, _ in _LOADERS):
        taken = _taken(data, where)
        if taken:
            return RealBatches(taken, f"the batches of {name}")
    for loader, stage, word in _LOADERS:
        taken = _taken(_loader(data, loader, stage, where), where) if _has(data, loader) else ()
        if taken:
            if word != _LOADERS[0][2]:
                progress.note(f"{where} has no validation data; its {word} data are compared on")
            batches = tuple(_transferred(batch, data, module, where) for batch in taken)
            return RealBatches(batches, f"the {word} data of {name}")
    raise UsageError(
        f"{where} gives no batch: it has none of {', '.join(one for one, _, _ in _LOADERS)}, or empty ones"
    )


def _has(data: Any, loader: str) -> bool:
    return lightning_parts.is_own(data, loader)


def _loader(data: Any, loader: str, stage: str, where: str) -> Any:
    """What a loader's method returns, after `setup` for its stage; for `fit` where that is not enough."""
    try:
        _setup(data, stage)
        return getattr(data, loader)()
    except Exception:  # many prepare all their data for training alone
        if stage == "fit":
            raise
    with user_code(f"{where}: {loader}"):
        _setup(data, "fit")
        return getattr(data, loader)()


def _setup(data: Any, stage: str) -> None:
    if hasattr(data, "setup"):
        data.setup(stage=stage)


def _taken(loader: Any, where: str) -> tuple[Any, ...]:
    """The first batches, made in this process."""
    if loader is None:
        return ()
    loader, rows, size = _alone(loader), 0, 0
    taken: list[Any] = []
    with user_code(f"{where}: the first batches"):
        for batch in itertools.islice(loader, _BATCHES):
            tensors = [leaf for _, leaf in tree.leaves(batch) if isinstance(leaf, Tensor)]
            rows += next((len(tensor) for tensor in tensors if tensor.ndim), 1)
            size += sum(tensor.nbytes for tensor in tensors)
            if taken and size > _BYTES:
                break
            taken.append(batch)
            if rows >= _ROWS:
                break
    return tuple(taken)


def _alone(loader: Any) -> Any:
    """One loader of those that may be given, without worker processes."""
    if isinstance(loader, DataLoader):
        loader.num_workers, loader.pin_memory, loader.timeout = 0, False, 0
        return loader
    inside = getattr(loader, "iterables", loader)  # of a CombinedLoader
    if isinstance(inside, Mapping):
        inside = list(inside.values())
    if isinstance(inside, tuple | list) and inside and hasattr(inside[0], "__iter__") and not _is_batch(inside[0]):
        return _alone(inside[0])
    return loader


def _is_batch(item: Any) -> bool:
    """Whether an item of a list is a batch, and not a loader of batches."""
    return any(isinstance(leaf, Tensor) for _, leaf in tree.leaves(item))


def _transferred(batch: Any, data: Any, module: object, where: str) -> Any:
    """What the hooks around a transfer to the device make of a batch: some normalise or augment there."""
    for hook in ("on_before_batch_transfer", "on_after_batch_transfer"):
        owner = next((one for one in (data, module) if lightning_parts.is_own(one, hook)), None)
        if owner is not None:
            with user_code(f"{where}: {hook}"):
                batch = getattr(owner, hook)(batch, 0)
    return batch
