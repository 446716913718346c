"""`lit-train fit|validate|test|predict`: LightningCLI, with references wherever it takes a checkpoint's path."""

import sys
from typing import TYPE_CHECKING

from lit_infer import console

if TYPE_CHECKING:
    from lit_trainer.lightning_cli import TrainCLI

_HELP = """Usage: lit-train {fit,validate,test,predict} [OPTIONS]

  Train, validate, test and predict with PyTorch Lightning.

  Options come from configuration files (--config, which may be repeated) and
  from the command line, which wins. Every option of Trainer is there:
  --trainer.max_epochs 5.

Commands:
  fit       Train, keep the best checkpoint, log it as an artifact.
  validate  One pass over the validation set.
  test      One pass over the test set.
  predict   Predict the data module's predict set.

Examples:
  lit-train fit --config configs/digits.yaml
  lit-train fit --config configs/digits.yaml --trainer.max_epochs 3
  lit-train test --config configs/digits.yaml --ckpt_path last.ckpt
  lit-train fit --help                       (all options; imports torch)
  lit-train fit --config configs/digits.yaml --print_config
"""


def main() -> None:
    """The console script."""
    console.run(_run)


def _run() -> None:
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        console.out.print(_HELP, markup=False, end="")  # without importing torch and lightning, which takes seconds
        sys.exit(0 if arguments else 2)
    if arguments[0] == "--version":
        console.show_version(True)
    cli = _train(arguments)
    console.note(cli.ending())


def _train(arguments: list[str]) -> "TrainCLI":
    from lit_infer.errors import require

    require("lightning", extra="train", purpose="lit-train")
    require("jsonargparse", extra="train", purpose="lit-train")
    from lit_trainer.lightning_cli import TrainCLI

    return TrainCLI.run(arguments)
