"""Run an exported bundle: small, quick, exact, without torch.

    from lit_infer import load

    model = load("artifacts/bundles/digits-cnn-v0")
    for prediction in model.predict(["a.png", "b.png"]):
        print(prediction.label, prediction.score)

`load` takes a bundle folder, a lone graph file or a reference such as `local/digits/digits-cnn-export:latest`.
"""

from typing import TYPE_CHECKING, Any

from lit_infer.errors import (
    ArtifactError,
    EngineError,
    GateError,
    InputError,
    LitError,
    MissingExtraError,
    NotFoundError,
    UsageError,
)

if TYPE_CHECKING:
    from lit_infer.predictor import Choice, Prediction, Predictor, load

    __version__: str

__all__ = [
    "ArtifactError",
    "Choice",
    "EngineError",
    "GateError",
    "InputError",
    "LitError",
    "MissingExtraError",
    "NotFoundError",
    "Prediction",
    "Predictor",
    "UsageError",
    "__version__",
    "load",
]


def __getattr__(name: str) -> Any:
    """The rest is imported when first used: `lit-infer --help` needs no numpy."""
    if name == "__version__":
        from importlib.metadata import version

        return version("lit-deploy")
    if name in __all__:
        from lit_infer import predictor

        return getattr(predictor, name)
    raise AttributeError(f"module 'lit_infer' has no attribute {name!r}")
