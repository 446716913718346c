"""From a Lightning checkpoint to a bundle of graphs that is proven right.

    from lit_export import Options, export

    bundle = export("last.ckpt", ["onnx", "torchscript"], options=Options(class_path="my_package.model:Net"))

The story is in `pipeline.export`: checkpoint -> module -> target -> graphs -> verified bundle -> published.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lit_export.bundle_folder import Bundle
    from lit_export.isolated import export_isolated
    from lit_export.options import Options
    from lit_export.pipeline import export

__all__ = ["Bundle", "Options", "export", "export_isolated"]

_HOMES = {"Bundle": "bundle_folder", "Options": "options", "export": "pipeline", "export_isolated": "isolated"}


def __getattr__(name: str) -> Any:
    """Imported when first used: `lit-export --help` does not need torch."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"lit_export.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'lit_export' has no attribute {name!r}")
