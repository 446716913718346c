"""What Lightning gives a module and its data while it runs them: a trainer, a logger, the hooks of a batch."""

import importlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_PACKAGES = ("lightning.pytorch", "pytorch_lightning")


def package_of(thing: object) -> str | None:
    """Which of the two packages of Lightning a module or a data module is of; None: neither."""
    bases = {base.__module__ for base in type(thing).__mro__}
    return next((name for name in _PACKAGES if any(base.startswith(f"{name}.") for base in bases)), None)


def is_own(thing: object, method: str) -> bool:
    """Whether a method is the user's, and not what Lightning's or torch's base class has in its place."""
    if method in vars(thing):
        return True
    found = getattr(type(thing), method, None)
    return found is not None and not getattr(found, "__module__", "").startswith((*_PACKAGES, "torch."))


def trainer_for(thing: object) -> Any:
    """A trainer that trains nothing and logs nowhere; None for what is not Lightning's."""
    package = package_of(thing)
    if package is None:
        return None
    lightning = importlib.import_module(package)
    with _quiet():
        trainer = lightning.Trainer(
            accelerator="cpu",
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
    trainer.loggers = [importlib.import_module(f"{package}.loggers.logger").DummyLogger()]
    return trainer


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what a trainer says of the devices here."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
