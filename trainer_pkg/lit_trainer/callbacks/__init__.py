"""Callbacks."""

from lit_trainer.callbacks.deployment_facts import DeploymentFacts
from lit_trainer.callbacks.progress_bar import ProgressBar

__all__ = ["DeploymentFacts", "ProgressBar"]
