"""Run an exported bundle: small, quick, exact, without torch.

    from lit_infer import load

    model = load("artifacts/bundles/digits-cnn-v0")
    for prediction in model.predict(["a.png", "b.png"]):
        print(prediction.label, prediction.score)

Any number of threads may share a model: `stream` any iterable, `submit` from many threads, `await apredict`.
`load` takes a bundle folder, a lone graph file or a reference such as `local/digits/digits-cnn-export:latest`.
"""

import os
from typing import TYPE_CHECKING, Any

from lit_infer.errors import (
    ArtifactError,
    EngineError,
    ExpiredError,
    GateError,
    InputError,
    LitError,
    MissingExtraError,
    NotFoundError,
    OverloadedError,
    UsageError,
)

# From 1.31 on, onnxruntime looks for hosts of its maker's, and keeps a database below ~/.cache/Microsoft, unless this
# is set before it is imported. Who has decided otherwise keeps that decision.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from lit_infer.predictor import (
        BatchPolicy,
        Choice,
        Limits,
        Prediction,
        Predictor,
        Tiles,
        Timings,
        from_onnx_bytes,
        load,
    )

    __version__: str

__all__ = [
    "ArtifactError",
    "BatchPolicy",
    "Choice",
    "EngineError",
    "ExpiredError",
    "GateError",
    "InputError",
    "Limits",
    "LitError",
    "MissingExtraError",
    "NotFoundError",
    "OverloadedError",
    "Prediction",
    "Predictor",
    "Tiles",
    "Timings",
    "UsageError",
    "__version__",
    "from_onnx_bytes",
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
