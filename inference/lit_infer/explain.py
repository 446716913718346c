"""`lit-infer explain MODEL`: how a model runs on this machine, as facts that were obtained, not asked for."""

import os
import resource
import sys
from typing import Any

from lit_infer import settings
from lit_infer.batching.sizes import is_joined, static_batch
from lit_infer.engines import FROM_BYTES, engine_for_file
from lit_infer.hardware import cpu_model, usable_cpus
from lit_infer.manifest import Graph, Manifest, Tensor
from lit_infer.predictor import Predictor, load
from lit_infer.proof_words import pixels_compared, rows_compared, verdict


def explain(
    model: str | os.PathLike[str], *, device: str = "auto", engine: str = "auto", precision: str = "auto"
) -> dict[str, Any]:
    """Open a model as `load` does and report how it runs. The values are plain data, fit for JSON."""
    before = _peak_memory_mb()
    with load(model, device=device, engine=engine, precision=precision) as predictor:
        return _facts(predictor, opened_mb=max(0.0, _peak_memory_mb() - before))


def _facts(predictor: Predictor, *, opened_mb: float) -> dict[str, Any]:
    manifest, graph, path = predictor.manifest, predictor.sessions.opened()[0], predictor.path
    listed = next((one for one in manifest.graphs if path is not None and one.file == path.name), None)
    tuned = settings.read(manifest)
    return {
        "model": manifest.identity(),
        "task": manifest.task,
        "graph": str(path) if path is not None else "bytes",
        "format": engine_for_file(path).format if path is not None else FROM_BYTES.format,
        "precision": listed.precision if listed is not None else "not recorded in a lone file",
        "engine": predictor.engine,
        "device": predictor.device,
        "why": graph.why or f"{predictor.device} is what this engine obtained",
        "providers": ", ".join(graph.providers) or "the engine's own",
        "threads": _threads(predictor),
        "batch": f"{predictor.batch_size}, {_batch_reason(predictor, tuned)}",
        "checked": _checked(manifest, listed),
        **(_images(manifest) if manifest.spec.takes_images else {}),
        **({"tiles": predictor.tiles_words()} if manifest.spec.merges(manifest.reading) else {}),
        **({"rows": rows_compared(manifest.proof).removeprefix("rows ")} if manifest.fields is not None else {}),
        "inputs": ", ".join(_layout(tensor) for tensor in manifest.inputs),
        "outputs": ", ".join(_layout(tensor) for tensor in manifest.outputs),
        "memory": f"{opened_mb:.0f} MB more at the peak to open it, {_peak_memory_mb():.0f} MB in all",
        "machine": f"{cpu_model()}, {usable_cpus()} usable of {os.cpu_count()} cores",
    }


def _images(manifest: Manifest) -> dict[str, str]:
    from lit_infer.images.resampling import kernel

    return {"pixels": pixels_compared(manifest.proof).removeprefix("pixels "), "resizing": kernel.words()}


def _checked(manifest: Manifest, listed: Graph | None) -> str:
    if listed is None or listed.parity is None:
        return "not recorded in a lone file"
    return verdict(manifest.proof, listed.parity)


def _threads(predictor: Predictor) -> str:
    count = predictor.threads
    if count == 1:
        return "1"
    return f"{count} together for one call; {count} in parallel for streams and submitted items"


def _batch_reason(predictor: Predictor, tuned: settings.TunedSettings) -> str:
    if is_joined(predictor.manifest):
        return "an answer depends on the whole batch, so nothing is joined, padded or split"
    if static_batch(predictor.manifest):
        return "the only one that the graph was exported for; a smaller one is padded"
    return "as lit-bench tune found" if tuned.batch_size else "the default"


def _layout(tensor: Tensor) -> str:
    letters = {(4, 1): " NHWC", (4, 3): " NHWC"}.get((len(tensor.shape), _last(tensor)), "")
    return f"{tensor.name} {tensor.dtype}{letters} [{', '.join(map(str, tensor.shape))}]"


def _last(tensor: Tensor) -> int:
    side = tensor.shape[-1] if tensor.shape else 0
    return side if isinstance(side, int) else 0


def _peak_memory_mb() -> float:
    """The process's largest resident size so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
