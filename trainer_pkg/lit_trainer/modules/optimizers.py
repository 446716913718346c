"""Optimizers and learning-rate schedules by name; every schedule moves once per optimizer step."""

import math
from collections.abc import Iterable
from typing import Literal

import lightning.pytorch as pl
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    OneCycleLR,
    SequentialLR,
    StepLR,
)

from lit_infer.errors import UsageError

OptimizerName = Literal["adamw", "adam", "sgd"]
SchedulerName = Literal["none", "step", "cosine", "one_cycle"]


def make_optimizer(
    parameters: Iterable[nn.Parameter],
    name: OptimizerName,
    *,
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    momentum: float = 0.9,
    weight_decay: float = 0.0,
) -> Optimizer:
    """`betas` are for adamw and adam, `momentum` is for sgd."""
    match name:
        case "adamw":
            return AdamW(parameters, lr=learning_rate, betas=betas, weight_decay=weight_decay)
        case "adam":
            return Adam(parameters, lr=learning_rate, betas=betas, weight_decay=weight_decay)
        case "sgd":
            return SGD(parameters, lr=learning_rate, momentum=momentum, weight_decay=weight_decay)


def make_scheduler(
    optimizer: Optimizer,
    name: SchedulerName,
    *,
    trainer: pl.Trainer,
    warmup_steps: int = 0,
    step_size: int = 30,
    gamma: float = 0.1,
) -> LRScheduler:
    """A schedule over the whole training, from the optimizer's learning rate.

    `warmup_steps` optimizer steps rise linearly to it first; one_cycle rises by itself, over 30 % of the training
    unless `warmup_steps` says otherwise. `step_size` (epochs) and `gamma` are of step.
    """
    match name:
        case "none":
            main: LRScheduler = LambdaLR(optimizer, lambda _: 1.0)
        case "step":
            main = StepLR(optimizer, step_size * steps_per_epoch(trainer), gamma)
        case "cosine":
            main = CosineAnnealingLR(optimizer, T_max=max(1, total_steps(trainer) - warmup_steps))
        case "one_cycle":
            return _one_cycle(optimizer, total_steps(trainer), warmup_steps)
    return _warmed_up(optimizer, main, warmup_steps) if warmup_steps else main


def every_step(optimizer: Optimizer, scheduler: LRScheduler) -> OptimizerLRSchedulerConfig:
    """What `configure_optimizers` returns for the two."""
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def total_steps(trainer: pl.Trainer) -> int:
    """Optimizer steps from the first to the last of this training."""
    return _finite(trainer.estimated_stepping_batches)


def steps_per_epoch(trainer: pl.Trainer) -> int:
    """Optimizer steps in one epoch."""
    _ = trainer.estimated_stepping_batches  # makes the training loader, and with it the next number
    return _finite(trainer.num_training_batches / trainer.accumulate_grad_batches)


def _finite(steps: float) -> int:
    if math.isinf(steps):
        raise UsageError(
            "this learning-rate schedule must know how long training takes. Set the trainer's max_epochs or max_steps "
            "(with a data set of known length), or scheduler: none"
        )
    return math.ceil(steps)


def _one_cycle(optimizer: Optimizer, steps: int, warmup_steps: int) -> LRScheduler:
    # One warm-up step, or a training of fewer steps than its warm-up (fast_dev_run), would be a division by zero.
    share = min(max(warmup_steps, 2), steps // 2) / steps if warmup_steps else 0.3
    peaks = [group["lr"] for group in optimizer.param_groups]
    return OneCycleLR(optimizer, max_lr=peaks, total_steps=steps, pct_start=share)


def _warmed_up(optimizer: Optimizer, main: LRScheduler, steps: int) -> LRScheduler:
    # As in nanoGPT, the first step is not wasted on a learning rate of zero: 1/(n+1), 2/(n+1), ..., n/(n+1), 1.
    rise = LinearLR(optimizer, start_factor=1 / (steps + 1), total_iters=steps)
    return SequentialLR(optimizer, [rise, main], milestones=[steps])
