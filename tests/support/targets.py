"""Targets of small modules, made as `lit-export` makes them."""

from typing import Any

from torch import nn

from lit_export.chosen import stated
from lit_export.options import Options
from lit_export.tasks import TASKS, Target
from lit_infer.manifest import DeploymentFacts


def target_for(module: nn.Module, facts: DeploymentFacts, **options: Any) -> Target:
    """What the facts' task makes of a module."""
    chosen_options, task = Options(**options), TASKS[facts.task]
    return task.target(module, stated(facts, task.roles, chosen_options.outputs), chosen_options)
