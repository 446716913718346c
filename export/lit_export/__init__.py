"""From a Lightning checkpoint to a bundle of graphs that is proven right.

    from lit_export import export

    bundle = export(artifact="local/digits/digits-cnn:best", to=["onnx", "torchscript"])

The story is in `pipeline.export`: checkpoint -> module -> graphs -> verified bundle -> published.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lit_export.pipeline import Bundle, export

__all__ = ["Bundle", "export"]


def __getattr__(name: str) -> Any:
    """Imported when first used: `lit-export --help` needs no torch."""
    if name in __all__:
        from lit_export import pipeline

        return getattr(pipeline, name)
    raise AttributeError(f"module 'lit_export' has no attribute {name!r}")
