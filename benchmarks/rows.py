"""How fast files of rows are answered, beside what reading, the graph and writing take by themselves.

Tables: `lit-infer`'s run over a million rows through a network of three layers, against pyarrow and onnxruntime by
hand, one after the other as a script has them: read, take the columns, standardise, run the graph, write the values.
Texts: sentences of mixed length through a small BERT, against onnxruntime and tokenizers in batches as they come, and
against transformers' pipeline where that is installed.

The ways are run in turns, so that a noisy machine hurts all alike; ratios are of the medians.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import tokenizers
import torch
from torch import nn

from lit_export.options import Options
from lit_export.pipeline import export
from lit_infer.folder import run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from lit_infer.hardware import usable_cpus
from lit_infer.predictor import Predictor, load

COLUMNS = 10
BATCH = 8192
BATCH_OF_TEXTS = 64
WORDS = [
    f"{first}{last}" for first in ("fil", "sto", "wor", "lig", "nig") for last in ("m", "ry", "ld", "ht", "er", "al")
]
SPEC = """
task: tabular-regression
fields:
  columns:
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sentences", type=int, default=3_000)
    parser.add_argument("--only", choices=["tables", "texts"])
    asked = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} before; {usable_cpus()} cores")
    with tempfile.TemporaryDirectory() as name:
        if asked.only != "texts":
            tables(Path(name), asked.rows, asked.rounds)
        if asked.only != "tables":
            texts(Path(name), asked.sentences, asked.rounds)
    print(f"load {os.getloadavg()[0]:.1f} after")


def tables(here: Path, rows: int, rounds: int) -> None:
    """A million rows of ten numbers."""
    model = make_mlp(here)
    data = pa.table({f"c{index}": np.random.default_rng(index).normal(size=rows).round(4) for index in range(COLUMNS)})
    pa.csv.write_csv(data, here / "a.csv")
    pa.parquet.write_table(data, here / "a.parquet")
    for suffix in (".csv", ".parquet"):
        source, ours, theirs = here / f"a{suffix}", here / f"ours{suffix}", here / f"theirs{suffix}"
        legs = {
            "pyarrow read + graph + write": partial(by_hand, str(model.path), source, theirs),
            "lit-infer": partial(run_job, model, parse([str(source)]), Job(output=ours)),
        }
        found = in_turns(legs, rows, rounds)
        check_same(ours, theirs)
        report(f"{rows:,} rows of {COLUMNS} numbers, {suffix} to {suffix}, three layers of 128", found)


def make_mlp(here: Path) -> Predictor:
    """Export a network of three layers as its user would, and open it."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(COLUMNS, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 1))
    columns = "".join(f"    - {{name: c{index}, number: {{mean: 0.1, scale: 1.5}}}}\n" for index in range(COLUMNS))
    (here / "spec.yaml").write_text(SPEC + columns)
    made = export(network, ["onnx"], out=here / "mlp", options=Options(spec=here / "spec.yaml", publish=False))
    assert made.folder is not None, made.failed
    return load(made.folder, device="cpu", engine="onnx")


def by_hand(graph: str, source: Path, to: Path) -> None:
    """What a script does with pyarrow and onnxruntime, all cores for each step."""
    is_csv = source.suffix == ".csv"
    table = pa.csv.read_csv(source) if is_csv else pa.parquet.read_table(source)
    rows = np.stack([table[f"c{index}"].to_numpy() for index in range(COLUMNS)], axis=1)
    rows = ((rows - 0.1) / 1.5).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_cpus()
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    values = [session.run(None, {name: rows[at : at + BATCH]})[0][:, 0] for at in range(0, len(rows), BATCH)]
    answers = pa.table({"row": np.arange(len(rows)), "value": np.concatenate(values)})
    (pa.csv.write_csv if is_csv else pa.parquet.write_table)(answers, to)


def check_same(ours: Path, theirs: Path) -> None:
    """Whether both ways gave the same answers."""
    read = pa.csv.read_csv if ours.suffix == ".csv" else pa.parquet.read_table
    one, other = read(ours)["value"].to_numpy(), read(theirs)["value"].to_numpy()
    assert np.allclose(one, other, rtol=1e-5, atol=1e-6)


def in_turns(legs: Mapping[str, Callable[[], object]], rows: int, rounds: int) -> dict[str, float]:
    """Rows per second of each way."""
    rates: dict[str, list[float]] = {name: [] for name in legs}
    for _ in range(rounds):
        for name, leg in legs.items():
            started = time.perf_counter()
            leg()
            rates[name].append(rows / (time.perf_counter() - started))
            print(f"  {name}: {rates[name][-1]:,.0f} rows/s", file=sys.stderr, flush=True)
    return {name: statistics.median(found) for name, found in rates.items()}


def report(what: str, found: dict[str, float]) -> None:
    """A line for each way, and what ours is of it."""
    print(f"\n{what}")
    own = found["lit-infer"]
    for name, rate in found.items():
        ratio = "" if name == "lit-infer" else f"   lit-infer is {own / rate:.2f} of it"
        print(f"{name:40}{rate:12,.0f} rows/s{ratio}")


def texts(here: Path, count: int, rounds: int) -> None:
    """Sentences of mixed length, most of them short, as reviews and titles are."""
    lines = make_sentences(here / "lines.txt", count)
    model = make_bert(here)
    source, output = here / "lines.txt", here / "out.jsonl"
    tokenizer, graph = here / "tok/tokenizer.json", str(model.path)
    legs: dict[str, Callable[[], object]] = {
        "onnxruntime + tokenizers, batches of 64": partial(texts_by_hand, graph, tokenizer, lines),
        "lit-infer": partial(run_job, model, parse([str(source)]), Job(output=output)),
    }
    if (pipeline := make_pipeline(here)) is not None:
        legs["transformers' pipeline, its own batches"] = lambda: list(pipeline(lines, truncation=True))
        legs["transformers' pipeline, batches of 64"] = lambda: list(
            pipeline(lines, batch_size=BATCH_OF_TEXTS, truncation=True)
        )
    report(f"{count:,} sentences of 3 to 120 words, a BERT of 6 layers and 384", in_turns(legs, count, rounds))


def make_sentences(path: Path, count: int) -> list[str]:
    """Lengths as in real corpora: log-normal, so that one batch has long and short ones."""
    generator = np.random.default_rng(0)
    lengths = generator.lognormal(2.9, 0.8, count).astype(int).clip(3, 120)
    lines = [" ".join(generator.choice(WORDS, length)) for length in lengths]
    path.write_text("".join(f"{line}\n" for line in lines))
    return lines


def make_bert(here: Path) -> Predictor:
    """Export a small BERT as its user would, and open it."""
    import transformers

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS]
    made = tokenizers.Tokenizer(
        tokenizers.models.WordPiece({word: place for place, word in enumerate(vocabulary)}, unk_token=vocabulary[1])
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()  # type: ignore[assignment]
    made.post_processor = tokenizers.processors.TemplateProcessing(  # type: ignore[assignment]
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    named = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=128, **named)
    fast.save_pretrained(here / "tok")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
        max_position_embeddings=128,
    )
    network = transformers.BertForSequenceClassification(config).eval()
    network.save_pretrained(here / "bert")
    (here / "spec.yaml").write_text("task: text-classification\nfields: {text: {max_length: 128}}\n")
    options = Options(spec=here / "spec.yaml", publish=False, tokenizer=here / "tok")
    exported = export(network, ["onnx"], out=here / "bert-bundle", options=options)
    assert exported.folder is not None, exported.failed
    return load(exported.folder, device="cpu", engine="onnx")


def make_pipeline(here: Path) -> Callable[..., Any] | None:
    """The usual way with transformers."""
    import transformers

    torch.set_num_threads(usable_cpus())
    model = transformers.BertForSequenceClassification.from_pretrained(here / "bert")
    fast = transformers.PreTrainedTokenizerFast.from_pretrained(here / "tok")
    found: Callable[..., Any] = transformers.pipeline("text-classification", model=model, tokenizer=fast, device="cpu")
    return found


def texts_by_hand(graph: str, tokenizer: Path, lines: list[str]) -> list[Any]:
    """What a script does: batches as they come, each padded to its longest, all cores for each step."""
    made = tokenizers.Tokenizer.from_file(str(tokenizer))
    made.enable_truncation(128)
    made.enable_padding()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_cpus()
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    wanted = [one.name for one in session.get_inputs()]
    found = []
    for at in range(0, len(lines), BATCH_OF_TEXTS):
        encoded = made.encode_batch(lines[at : at + BATCH_OF_TEXTS])
        arrays = {
            "input_ids": np.array([one.ids for one in encoded], dtype=np.int64),
            "attention_mask": np.array([one.attention_mask for one in encoded], dtype=np.int64),
            "token_type_ids": np.array([one.type_ids for one in encoded], dtype=np.int64),
        }
        found += session.run(None, {name: arrays[name] for name in wanted})[0].argmax(-1).tolist()
    return found


if __name__ == "__main__":
    main()
