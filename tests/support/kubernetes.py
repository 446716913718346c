"""YAML as Kubernetes would take it: by its own schemas, which forbid unknown fields too."""

from typing import Any

import kubernetes_validate
import yaml

VERSION = "1.34"


def documents(text: str) -> list[dict[str, Any]]:
    """The documents of a YAML file."""
    return [document for document in yaml.safe_load_all(text) if document is not None]


def check(document: dict[str, Any]) -> None:
    """Raise ValidationError for a document that Kubernetes does not take."""
    kubernetes_validate.validate(document, VERSION, strict=True)
