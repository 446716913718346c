"""LightningModules, data modules, callbacks and tracking that end in a checkpoint ready to be deployed.

`lit-train fit --config configs/digits.yaml` trains; `lit_trainer.callbacks.DeploymentFacts` makes the checkpoint
of any LightningModule say how it wants to be deployed.
"""
