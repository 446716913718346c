"""Data modules: seeded splits, one evaluation transform, and the deployment facts read off that transform."""

from lit_trainer.data.digits import DigitsDataModule

__all__ = ["DigitsDataModule"]
