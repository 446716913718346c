"""deeptab's task model is given its network and configuration as objects, and lists of tensors."""

from typing import Any

from deeptab.architectures import MLP, FTTransformer
from deeptab.configs import FTTransformerConfig, MLPConfig
from deeptab.training.lightning_module import TaskModel
from torch import Tensor, nn


def mlp(**hparams: Any) -> TaskModel:
    return TaskModel(model_class=MLP, config=MLPConfig(), **hparams)


def ft_transformer(**hparams: Any) -> TaskModel:
    return TaskModel(model_class=FTTransformer, config=FTTransformerConfig(), **hparams)


class Columns(nn.Module):
    """One tensor for a column."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, age: Tensor, income: Tensor, city: Tensor) -> Tensor:
        return self.module([age, income], [city], [])
