"""Callbacks: what a checkpoint carries, what a run shows, and how it survives Ctrl-C."""

from lit_trainer.callbacks.deployment_facts import CheckpointRecord, DeploymentFacts
from lit_trainer.callbacks.interrupt import ResumeAfterInterrupt
from lit_trainer.callbacks.prediction_samples import PredictionSamples
from lit_trainer.callbacks.progress_bar import ProgressBar

__all__ = ["CheckpointRecord", "DeploymentFacts", "PredictionSamples", "ProgressBar", "ResumeAfterInterrupt"]
