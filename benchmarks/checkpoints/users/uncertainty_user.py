"""The module of a user of torch-uncertainty, and one answer for a row."""

import torch
from torch import Tensor, nn
from torch_uncertainty.models.classification import packed_resnet
from torch_uncertainty.routines import ClassificationRoutine
from torch_uncertainty.transforms import RepeatTarget


def packed() -> ClassificationRoutine:
    """Two small estimators in one network."""
    sizes = {"arch": 18, "style": "cifar", "num_estimators": 2, "alpha": 1, "gamma": 1}
    model = packed_resnet(in_channels=3, num_classes=3, **sizes)
    adam = torch.optim.Adam(model.parameters())
    loss, repeat = nn.CrossEntropyLoss(), RepeatTarget(2)
    return ClassificationRoutine(model, 3, loss, optim_recipe=adam, format_batch_fn=repeat, is_ensemble=True)


class Mean(nn.Module):
    """The network answers the rows once for each estimator; this is their mean."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, inputs: Tensor) -> Tensor:
        answers = self.module(inputs)
        return answers.reshape(2, -1, answers.shape[-1]).mean(0)
