"""What a checkpoint holds and what its export will need, as rows to show. Nothing in it runs; torch is not needed."""

import json
import math
import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from lit_export import chosen
from lit_export.formats.unopened import NamedLines, titled
from lit_export.front import advice, container, file_kind, outline, recorded
from lit_export.front.plain_values import EnumMember, Foreign, TensorOutline, TorchValue
from lit_export.front.sweep import sweep
from lit_infer import manifest
from lit_infer.errors import ArtifactError, LitError
from lit_infer.manifest import CheckpointRecord

_SHOWN = 40


class _Short(reprlib.Repr):
    """A value cut to what fits into a line; placeholders as what they stand for."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = 60
        self.maxlevel = 3

    def repr1(self, x: Any, level: int) -> str:
        if isinstance(x, Foreign | EnumMember | TorchValue):
            return str(x)[:120]
        if isinstance(x, TensorOutline):
            return f"tensor {x.kind} {list(x.shape)}"
        if isinstance(x, int) and x.bit_length() > 4000:
            return f"a number of {x.bit_length():,} bits"
        if isinstance(x, dict):
            return self.repr_dict(x, level)
        return super().repr1(x, level)


_SHORT = _Short()


def short(value: Any) -> str:
    """A value in a few words."""
    return value if isinstance(value, str) and len(value) <= 60 and value.isprintable() else _SHORT.repr(value)


def rows(path: Path, *, where: str, source: Sequence[str]) -> NamedLines:
    """Name and value in the order to show them. `source`: the words that name it on a command line."""
    with container.open_file(path, where=where) as file:
        packed = container.read(file, where=where)
        contents = packed.contents
        if not isinstance(contents, dict):
            raise ArtifactError(file_kind.no_table(where, contents))
        recorded.replace_scores(contents, lambda tensor: container.number(file, packed, tensor))
        digest = sweep(file, packed.size, packed.extents, {}, where=where)
    yield "size", size_text(packed.size)
    yield "sha256", digest
    if not packed.is_checked:
        yield "checksums", "none: damage to its values could not be seen"
    yield from _training(contents, {path.name, path.resolve().name})
    yield from _weights(contents)
    record, problem = _record(contents, where)
    yield from _facts(record, problem)
    hparams = recorded.hparams(contents)
    yield from titled("hparams", [f"{short(key)}: {short(value)}" for key, value in list(hparams.items())[:200]])
    yield "keys", ", ".join(sorted(short(key) for key in contents)[:_SHOWN])
    named = (record.deployment.class_path if record else None) or advice.class_path(contents, hparams)
    yield from _advice(path, named, hparams, source, has_inputs=record is not None)


def _training(contents: dict[Any, Any], names: set[str]) -> NamedLines:
    for name, key in (("Lightning", "pytorch-lightning_version"), ("epoch", "epoch"), ("step", "global_step")):
        if key in contents:
            yield name, short(contents[key])
    if (score := recorded.score(contents, names)) is not None:
        yield "score", f"{score.monitor} {score.value:.6g} ({score.mode})"
    if callbacks := recorded.table(contents, "callbacks"):
        found = [key.path if isinstance(key, Foreign) else str(key).partition("{")[0] for key in callbacks]
        yield "callbacks", ", ".join(short(name.rpartition(".")[2]) for name in found[:_SHOWN])


def _weights(contents: dict[Any, Any]) -> NamedLines:
    if recorded.is_state_dict(contents):
        yield "kind", "a plain state_dict: to export it give --class, and --hparam for its arguments"
        contents = {"state_dict": contents}
    known = ("state_dict", recorded.RAW, *recorded.AVERAGED)
    tables = [key for key in known if recorded.table(contents, key)]
    tables += [key for key, value in contents.items() if key not in tables and recorded.is_state_dict(value)]
    for key in tables:
        tensors = [value for value in contents[key].values() if isinstance(value, TensorOutline)]
        count = sum(math.prod(tensor.shape) for tensor in tensors)
        size = sum(storage.bytes for storage in outline.storages(contents[key]))
        yield short(key), f"{len(tensors)} tensors, {count:,} values, {size_text(size)}"
    if recorded.RAW in tables:
        yield "EMA", f"state_dict holds the averaged weights, {recorded.RAW} the raw ones (--weights ema|model)"
    elif averaged := [key for key in tables if key in recorded.AVERAGED]:
        yield "EMA", f"{averaged[0]} holds the averaged weights, state_dict the raw ones (--weights ema|model)"


def _record(contents: dict[Any, Any], where: str) -> tuple[CheckpointRecord | None, str | None]:
    """What lit_trainer's DeploymentFacts stored, or why it cannot be read."""
    try:
        return recorded.record(contents, where), None
    except LitError as error:
        return None, str(error)


def _facts(record: CheckpointRecord | None, problem: str | None) -> NamedLines:
    if record is None:
        yield "deployment", problem or "no facts recorded: to export more than bare tensors give --spec FILE"
        return
    facts = record.deployment
    yield "task", facts.task
    yield from preprocessing(facts.preprocess, facts.normalize, facts.labels)
    yield from outputs(facts.outputs)
    yield from answers(facts.answers)
    yield from titled("batch", [_seen(tensor) for tensor in record.batch or ()])
    yield from titled("forward", [_seen(tensor) for tensor in record.inputs or ()])
    if record.run:
        yield "run", record.run
    if record.git_commit:
        yield "git commit", record.git_commit


def _advice(
    path: Path, named: str | None, hparams: dict[str, Any], source: Sequence[str], *, has_inputs: bool
) -> NamedLines:
    found, config = advice.objects(hparams), advice.config_near(path)
    yield "class", named or "not recorded"
    if config is not None:
        yield "config", f"{config} lies near: --config takes what LightningCLI or Hydra wrote"
    yield from titled("needs", advice.needed(named, found, advice.named_code(hparams), config=config))
    if not has_inputs:
        yield "inputs", "the module's example_input_array, or --data-module, --inputs FILE.npz, --input SHAPE"
    yield "try", advice.command(source, named, found, advice.named_code(hparams), config=config)


def _seen(tensor: manifest.BatchTensor) -> str:
    return f"{tensor.name}: {tensor.dtype} {list(tensor.shape)}"


def outputs(found: dict[str, str]) -> NamedLines:
    """Which of the module's outputs is which, as `--outputs` takes it."""
    if found:
        yield "outputs", chosen.line(found)


def answers(found: dict[str, Any]) -> NamedLines:
    """How outputs are turned into answers, where that was recorded."""
    if found:
        yield "answers", json.dumps(found, ensure_ascii=False)


def preprocessing(steps: Any, normalize: Any, labels: tuple[str, ...] | None) -> NamedLines:
    """How inputs are prepared, and the labels."""
    yield from titled("preprocess", [json.dumps(msgspec.to_builtins(step)) for step in steps])
    if normalize is not None:
        yield "normalize", f"mean {list(normalize.mean)}, std {list(normalize.std)}"
    if labels is not None:
        shown = ", ".join(labels[:8])
        yield "labels", f"{len(labels)}: {shown}{', ...' if len(labels) > 8 else ''}"


def size_text(count: int) -> str:
    """Bytes as people read them."""
    return f"{count / 1e6:.2f} MB" if count >= 10_000 else f"{count:,} bytes"
