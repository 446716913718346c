"""lit_export.front.training_only: which weights are a loss's or a metric's."""

import pytest
import torch
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

from lit_export.front.training_only import belongs, is_its_buffer


class FocalLoss(nn.Module):
    """A loss of the user's own, with a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("alpha", torch.ones(3))
        self.scale = nn.Parameter(torch.ones(1))


class Whole(nn.Module):
    """A module with a loss, a metric and parts whose names look like a loss's."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.ModuleDict({"first": nn.Linear(2, 2), "focal": FocalLoss()})
        self.objective = nn.CrossEntropyLoss()
        self.scores = MulticlassAccuracy(3)
        self.loss_head = nn.Linear(2, 2)


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("objective.weight", True),
        ("body.focal.beta", True),
        ("scores.tp", True),
        ("criterion.weight", True),
        ("criterion_cls.weight", True),
        ("body.loss_fn.pos_weight", True),
        ("val_acc.correct", True),
        ("train_metrics.acc.tp", True),
        ("perceptual_loss.net.0.weight", True),
        ("class_weights", True),
        ("loss_head.extra", False),
        ("loss_head.weight", False),
        ("body.second.weight", False),
        ("body.first.weight_orig", False),
        ("teacher.criterion.weight", False),
        ("encoder.weight", False),
        ("glossary.weight", False),
    ],
)
def test_a_loss_or_metric_is_known_by_its_type_else_by_its_name(key: str, found: bool) -> None:
    assert belongs(Whole(), key) == found


@pytest.mark.parametrize(
    ("key", "found"),
    [("body.focal.alpha", True), ("body.focal.scale", False), ("body.first.weight", False), ("lost.x", False)],
)
def test_only_the_buffers_of_a_loss_may_be_lacking(key: str, found: bool) -> None:
    assert is_its_buffer(Whole(), key) == found
