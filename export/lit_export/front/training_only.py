"""Weights of a loss or a metric: training needs them, and no output depends on them."""

import re
from collections.abc import Iterator

from torch import nn

_MEASURES = "acc|accuracy|f1|f1_?score|auroc|auc|iou|miou|mse|mae|rmse|precision|recall|dice|ssim|psnr|fid|perplexity"
_NAME = re.compile(
    r"criteri(on|ons|a)|(.*_)?criterion(_.*)?|(.*_)?loss(es)?(_.*)?|loss_?(fn|func|function)s?|lossfn|(.*_)?metrics?(_.*)?"
    rf"|((train|training|val|valid|validation|test)_)({_MEASURES})(_.*)?|({_MEASURES})|lpips|class_weights?|pos_weights?"
)
_KINDS = ("torch.nn.modules.loss", "torchmetrics")


def is_named(argument: str) -> bool:
    """Whether an argument is called as a loss or metric is."""
    return _NAME.fullmatch(argument) is not None


def belongs(module: nn.Module, key: str) -> bool:
    """Whether a key of the weights is a loss's or metric's: by its module's type, else by a name that is not there."""
    owners = [*_along(module, key)]
    if any(_is_measure(type(owner)) for owner in owners):
        return True
    parts = key.split(".")
    lacking = parts[len(owners) - 1] if len(owners) <= len(parts) else ""
    return _NAME.fullmatch(lacking) is not None


def is_its_buffer(module: nn.Module, key: str) -> bool:
    """Whether the module's own key is a buffer of a loss or metric."""
    owners = [*_along(module, key)]
    name = key.rpartition(".")[2]
    return any(_is_measure(type(owner)) for owner in owners) and name in dict(owners[-1].named_buffers(recurse=False))


def _along(module: nn.Module, key: str) -> Iterator[nn.Module]:
    """The module and those of its parts that are on the way to a key."""
    yield module
    for name in key.split(".")[:-1]:
        inner = module._modules.get(name)
        if inner is None:
            return
        module = inner
        yield module


def _is_measure(cls: type) -> bool:
    """Whether it is a loss or metric: of torch or torchmetrics, or called one."""
    if any(base.__module__.startswith(_KINDS) for base in cls.__mro__):
        return True
    return issubclass(cls, nn.Module) and cls.__name__.lower().endswith(("loss", "metric", "criterion"))
