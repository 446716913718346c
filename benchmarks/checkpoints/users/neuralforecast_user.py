"""The losses of neuralforecast's models are objects, and say how wide the last layer is."""

from typing import Any

from neuralforecast.losses.pytorch import DistributionLoss, MQLoss
from neuralforecast.models import LSTM, MLP, NHITS, PatchTST
from torch import Tensor, nn


def nhits(**hparams: Any) -> NHITS:
    return NHITS(loss=MQLoss(level=[80]), **hparams)


def mlp(**hparams: Any) -> MLP:
    return MLP(**hparams)


def patchtst(**hparams: Any) -> PatchTST:
    return PatchTST(**hparams)


def lstm(**hparams: Any) -> LSTM:
    return LSTM(loss=DistributionLoss("Normal"), **hparams)


class Windows(nn.Module):
    """The modules take a dict that also has keys without a tensor."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, insample_y: Tensor, insample_mask: Tensor) -> Tensor:
        none = dict.fromkeys(("futr_exog", "hist_exog", "stat_exog"))
        return self.module({"insample_y": insample_y, "insample_mask": insample_mask, **none})
