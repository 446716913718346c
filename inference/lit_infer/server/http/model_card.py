"""The model card: where a served model comes from, which of its graphs is running, and how it was proven.

The manifest's command line is left out: it contains paths of the machine that made the bundle.
"""

from pathlib import Path
from typing import Any

from lit_infer.engines import engine_for_file
from lit_infer.manifest import Manifest
from lit_infer.proof_words import pixels_compared, rows_compared, verdict
from lit_infer.server.models.opening import Served

_GRAPH = ("format", "precision", "file", "bytes", "sha256", "opset", "parity", "score", "latency", "quantization")


def card(served: Served) -> dict[str, Any]:
    """The facts as they go into JSON; `graph` is the one that is running, `labels` the number of classes."""
    manifest, opened, task = served.manifest, served.opened, served.manifest.spec
    return {
        "name": served.name,
        "version": served.version,
        "task": manifest.task,
        "kind": task.kind,
        "does": task.does,
        "nouns": task.nouns,
        "takes_images": task.takes_images,
        "takes_rows": task.has_fields,
        "takes_audio": task.has_audio,
        "takes_top_k": task.takes_top_k,
        "license": manifest.license,
        "source": manifest.source,
        "graph": _graph(manifest, opened.file),
        "proof": manifest.proof,
        "engine": opened.engine,
        "device": opened.device,
        "inputs": manifest.inputs,
        "outputs": manifest.outputs,
        "rows": manifest.rows,
        "preprocess": manifest.preprocess,
        "prepared_by": [step.value.describe() for step in manifest.preprocess],
        "pixels": pixels_compared(manifest.proof).removeprefix("pixels ") if task.takes_images else None,
        "fields": manifest.fields,
        "prepared": rows_compared(manifest.proof).removeprefix("rows ") if task.has_fields else None,
        "normalize": manifest.normalize,
        "answers": manifest.answers,
        "agreement": task.agreement.name if task.agreement else None,
        "labels": None if manifest.labels is None else len(manifest.labels),
        "made_with": {"versions": manifest.made_with.versions, "date": manifest.made_with.date},
    }


def _graph(manifest: Manifest, file: str | None) -> dict[str, Any] | None:
    """What the manifest records about the open graph. A lone graph file has only a name and a format."""
    for graph in manifest.graphs:
        if graph.file == file:
            shown = verdict(manifest.proof, graph.parity) if graph.parity else None
            return {**{name: getattr(graph, name) for name in _GRAPH}, "verdict": shown}
    return None if file is None else {"format": engine_for_file(Path(file)).format, "file": file}
