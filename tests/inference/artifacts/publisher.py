"""Publish small versions without ceremony."""

import shutil
from pathlib import Path

from lit_infer.artifacts.folder import FolderRegistry
from lit_infer.artifacts.reference import Reference, parse
from lit_infer.artifacts.registry import Version

MODEL = parse("local/digits/digits-cnn")


class Publisher:
    """Publishes versions of MODEL whose files hold some text."""

    def __init__(self, registry: FolderRegistry, folder: Path) -> None:
        self.registry = registry
        self.folder = folder

    def __call__(
        self, *texts: str, aliases: tuple[str, ...] = (), to: Reference = MODEL, parents: tuple[str, ...] = ()
    ) -> Version:
        shutil.rmtree(self.folder, ignore_errors=True)
        for number, text in enumerate(texts):
            path = self.folder / ("model.ckpt" if number == 0 else f"more/{number}.txt")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return self.registry.publish(self.folder, to, type="model", aliases=aliases, parents=parents)


def home(registry: FolderRegistry) -> Path:
    """MODEL's folder."""
    return registry.root / MODEL.collection


def numbers(registry: FolderRegistry) -> list[str]:
    """MODEL's versions."""
    return [version.reference.alias for version in registry.versions(MODEL)]
