"""LightningModules for the usual starting points."""

from lit_trainer.modules.digits_cnn import DigitsCNN

__all__ = ["DigitsCNN"]
