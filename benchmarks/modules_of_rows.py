"""Which modules of rows are predicted from files: texts, tables and arrays, answered as the eager module answers them.

    uv pip install --no-deps --target R transformers huggingface-hub regex safetensors pandas pytz tzdata einops \\
        pytorch-tabular pytorch-tabnet scikit-base pytorch-forecasting darts nfoursid xarray statsmodels patsy \\
        neuralforecast coreforecast utilsforecast ray optuna colorlog sqlalchemy alembic msgpack torch_geometric \\
        psutil holidays rtdl-revisiting-models
    PYTHONPATH=R python benchmarks/modules_of_rows.py                 # half an hour on two cores
    PYTHONPATH=R python benchmarks/modules_of_rows.py bert tabnet     # the rows whose names have one of these in them

The modules are in `rows_modules.py`, with random weights, each in a LightningModule as its user would have it. It goes
through `lit_export.export`, which compares the final file, opened by the runtime, with the eager module. Then
`lit-infer` predicts a real file, and each of its rows has to be answered as the eager module answers it, on inputs that
the user's own code made of the same rows: a tokenizer of transformers, scikit-learn, NumPy.
"""

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import lit_infer
from lit_export import Options, export
from lit_infer.errors import LitError
from lit_infer.folder import arguments, run_job
from lit_infer.folder.job import Job

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.rows_modules import Prepared, Row, rows

Array = NDArray[Any]


def main() -> None:
    """A row as it comes."""
    print("| module | task | file | rows | onnx | max diff | seconds | said |")
    print("|---|---|---|---|---|---|---|---|")
    counts: dict[str, int] = {}
    for row in rows():
        if sys.argv[1:] and not any(part.lower() in row.name.lower() for part in sys.argv[1:]):
            continue
        started = time.perf_counter()
        word, count, difference, said = outcome(row)
        counts[word] = counts.get(word, 0) + 1
        seconds = time.perf_counter() - started
        cells = (row.name, row.task, row.suffix, count, word, difference, f"{seconds:.0f}", said)
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    print("\n" + ", ".join(f"{count} {word}" for word, count in sorted(counts.items())))


def outcome(row: Row) -> tuple[str, int | str, str, str]:
    """`proven`, `compared`, `refused` or `WRONG`; how many rows; the largest difference of an answer; what was said."""
    folder = Path(tempfile.mkdtemp(prefix="lit-rows-"))
    torch.manual_seed(0)
    try:
        module = row.make().eval()
        prepared = row.prepare(folder)
        bundle = export(module, ["onnx"], out=folder / "bundle", options=Options(publish=False, **prepared.options))
        graph = bundle.attempted[0]
        if graph.parity is None:
            return "refused", "", "", str(graph.reason)
        with torch.no_grad():
            truth = expected(module, prepared, row.task)
        found = answered(folder / "bundle", prepared, row)
        difference, wrong = apart(found, truth)
        varies = bundle.manifest.proof is not None and bundle.manifest.proof.varies
        return ("WRONG" if wrong else "proven" if varies else "compared"), prepared.count, f"{difference:.1e}", wrong
    except LitError as error:
        return "refused", "", "", " ".join(str(error).split())
    except Exception as error:
        return "FAILED", "", "", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def expected(module: torch.nn.Module, prepared: Prepared, task: str) -> dict[str, Array]:
    """The eager module's answers, by what the rows of the output call them."""
    given = {name: torch.as_tensor(value) for name, value in prepared.inputs.items()}
    made = module(**given) if prepared.by_name else module(*given.values())
    if isinstance(made, torch.Tensor):
        made = {"": made}
    elif not isinstance(made, dict):
        made = {str(index): part for index, part in enumerate(made)}
    first = next(iter(made.values()))
    if task.endswith("classification"):
        one = first.shape[1:] in ((), (1,))
        share = torch.sigmoid(first.reshape(-1, 1))
        return {"": (torch.cat([1 - share, share], 1) if one else torch.softmax(first, -1)).numpy()}
    if task == "text-embedding":
        return {"": (prepared.pooled(first) if prepared.pooled else first).numpy()}
    if task == "tabular-regression":
        return {"": first.reshape(len(first), -1).numpy()}
    return {name: part.numpy() for name, part in made.items()}


def answered(bundle: Path, prepared: Prepared, row: Row) -> dict[str, Array]:
    """What `lit-infer FILE -o OUT` writes."""
    out = bundle.parent / ("out.npz" if row.task == "tensor" else "out.jsonl")
    with lit_infer.load(bundle) as model:
        job = Job(output=out, top_k=1000 if row.task.endswith("classification") else None)
        summary = run_job(model, arguments.parse([str(prepared.file)]), job)
        names = [one.name for one in model.manifest.outputs]
    if summary.failed:
        lines = [] if row.task == "tensor" else [json.loads(line) for line in out.read_text().splitlines()]
        said = next((line["error"] for line in lines if line["error"]), summary.codes)
        raise LitError(f"{summary.failed} rows failed: {said}")
    if row.task == "tensor":
        with np.load(out) as arrays:
            return {name: arrays[name] for name in names}
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    if row.task.endswith("classification"):
        return {"": np.array([[one["score"] for one in sorted(line["top"], key=_index)] for line in lines])}
    if row.task == "text-embedding":
        return {"": np.array([line["embedding"] for line in lines])}
    beside = {"path", "row", "error", "code", "model"}
    return {"": np.array([[value for name, value in line.items() if name not in beside] for line in lines])}


def _index(one: dict[str, Any]) -> int:
    index: int = one["index"]
    return index


def apart(found: dict[str, Array], truth: dict[str, Array]) -> tuple[float, str]:
    """The largest difference, and what is wrong; empty for nothing."""
    most = 0.0
    if len(found) != len(truth):
        return most, f"{len(found)} outputs, and the module answers {len(truth)}"
    for (name, ours), theirs in zip(found.items(), truth.values(), strict=True):
        if ours.shape != theirs.shape:
            return most, f"{name} {list(ours.shape)}, and the module answers {list(theirs.shape)}"
        one, two = ours.astype(np.float64), theirs.astype(np.float64)
        most = max(most, float(np.abs(one - two).max(initial=0)))
        near = np.isclose(one, two, rtol=1e-3, atol=1e-5 * max(1e-6, float(np.abs(two).max(initial=0))))
        if not near.all():
            wrong = int((~near.reshape(len(near), -1).all(1)).sum())
            return most, f"{wrong} of {len(ours)} rows are answered otherwise"
    return most, ""


if __name__ == "__main__":
    main()
