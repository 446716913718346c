"""Versions of the tiny model in the folder registry."""

from pathlib import Path

from lit_infer import artifacts
from tests.support.server.proven import make_proven

NAME = "local/c/colours-export"


def publish(
    folder: Path, *, label: str, wrong: bool = False, alias: str = "production", name: str = NAME
) -> artifacts.Version:
    """A version whose third class is called `label`; its alias moves to it."""
    bundle = make_proven(folder, labels=("red", "green", label), wrong=wrong)
    reference = artifacts.parse(name)
    return artifacts.registry(reference).publish(bundle, reference, type="model", aliases=(alias,))


def move(alias: str, version: str) -> None:
    reference = artifacts.parse(f"{NAME}:{version}")
    artifacts.registry(reference).move_alias(alias, reference)
