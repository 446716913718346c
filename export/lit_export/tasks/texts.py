"""Tasks on texts: the module that takes token ids as the runtime sends them, around the user's own."""

import inspect
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import Any
from warnings import catch_warnings

import msgspec
import numpy as np
import torch
from msgspec.structs import replace
from numpy.typing import NDArray
from torch import Tensor, nn

from lit_export.chosen import Role
from lit_export.front.tokenizer import tokenizer_file
from lit_export.options import Options
from lit_export.proof import text_rows
from lit_export.tasks.image_classification import TASK as IMAGE_CLASSIFICATION
from lit_export.tasks.main_output import FEATURES, MainOutput
from lit_export.tasks.spec import ExportTask
from lit_export.tasks.tables import CLASS_SCORING, ROLES, TableClassifier, TableModule, looked_at
from lit_export.tasks.target import Target
from lit_infer import manifest
from lit_infer.batching.sizes import BATCH
from lit_infer.errors import UsageError
from lit_infer.manifest import TOKENIZER, DeploymentFacts
from lit_infer.rows.facts import TokenPart
from lit_infer.rows.text import TextFields, made
from lit_infer.tasks import text as runtime
from lit_infer.tasks.text import PoolingFacts
from lit_infer.tensors import Arrays

LENGTH = "length"
"""The name of the side that is the tokens, where batches are padded to their longest row."""
_KNOWN: dict[str, TokenPart] = {"input_ids": "ids", "attention_mask": "mask", "token_type_ids": "types"}
_LOOKS = 32


class TextModule(TableModule):
    """Token ids in, which the user's module gets by name."""

    parts: Mapping[str, TokenPart] = MappingProxyType({})
    """What each input is, in the order of the graph's."""
    takes_batch = False
    """Whether `forward` takes them as one mapping, a batch of the data loader."""

    def answer(self, *inputs: Tensor) -> MainOutput:
        """The module's main answer as it gives it."""
        named = dict(zip(self.parts, inputs, strict=True))
        return self.main(self.module(named) if self.takes_batch else self.module(**named))

    def shape(self, batch: int | str, length: int | str, answer: NDArray[Any]) -> tuple[int | str, ...]:
        """Of what it answers."""
        del length
        return batch, answer.shape[-1]


class TextClassifier(TextModule, TableClassifier):
    """Probabilities float32 [batch, classes]."""


class TextEmbedder(TextModule):
    """Vectors float32 [batch, size]; of a vector for each token their mean, or the first token's, if that is stated."""

    output = "embedding"
    preferred: Sequence[str] = FEATURES
    role = "embedding"
    sides = (2, 3)

    def __init__(self, module: nn.Module, facts: DeploymentFacts) -> None:
        super().__init__(module, facts)
        self.stated: PoolingFacts = msgspec.convert(dict(facts.answers), PoolingFacts)
        if self.stated.pooling is not None:
            self.preferred = _TOKENS

    @property
    def form(self) -> Sequence[str]:
        """What became of the tokens."""
        return () if self.stated.pooling is None else (self.stated.pooling,)

    def forward(self, *inputs: Tensor) -> Tensor:
        """The vectors, pooled."""
        scores = self.scores(*inputs)
        if self.stated.pooling == "first":
            scores = scores[:, 0]
        elif self.stated.pooling == "mean":
            mask = inputs[list(self.parts.values()).index("mask")].to(scores.dtype)[:, :, None]
            scores = (scores * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(scores, dim=-1) if self.stated.unit else scores

    def find_out(self, scores: Tensor, facts: DeploymentFacts) -> Sequence[str]:
        """Whether there is a vector for each text, or for each token, which must be pooled as training did."""
        pooling, shape = self.stated.pooling, list(scores.shape)
        if pooling is None and scores.ndim != 2:
            raise UsageError(
                f"the module answers {shape}, and not a vector for each text. For the mean of its tokens, or the "
                "first one's, say so in --spec: answers: {pooling: mean} or answers: {pooling: first}"
            )
        if pooling is not None and scores.ndim != 3:
            raise UsageError(
                f"answers: pooling {pooling} is for a vector for each token, and the module answers {shape}"
            )
        if pooling == "mean" and "mask" not in self.parts.values():
            raise UsageError("answers: pooling mean needs to know the padding: forward takes no attention_mask")
        text = facts.fields.text if facts.fields is not None else None
        if pooling == "first" and text is not None and text.padding_side == "left":
            raise UsageError("answers: pooling first is for texts that are padded on the right")
        return ()


_TOKENS = ("last_hidden_state", "token_embeddings")


def text_target(module: nn.Module, facts: DeploymentFacts, options: Options, wrapper: type[TextModule]) -> Target:
    """The target of a task on texts."""
    fields = text_fields(module, facts, options)
    if options.inputs or options.dynamic:
        raise UsageError(
            f"--input and --dynamic are for task tensor; the inputs of {facts.task} come from its tokenizer"
        )
    rows = text_rows.texts(fields, options.table_rows)
    noise = partial(text_rows.drawn, fields, rows)
    wrapped = wrapper(module, facts).eval()
    wrapped.parts = fields.facts.inputs or {}
    wrapped.takes_batch = _takes_batch(module, wrapped.parts)
    size = options.static_batch or 2
    example = noise(np.random.default_rng(0), size)
    looked = noise(np.random.default_rng(1), options.static_batch or _LOOKS)
    answer, warnings = looked_at(wrapped, facts, wrapped.parts, example, looked)
    if answer.ndim == 3 and answer.shape[1] != example[0].shape[1]:
        raise UsageError(
            f"the module answers for {answer.shape[1]} tokens of {example[0].shape[1]}, and which ones is not known: "
            "let it answer for all that it gets, with an --adapter PKG.MOD:WRAP"
        )
    batch, length = options.static_batch or BATCH, LENGTH if fields.is_ragged else example[0].shape[1]
    shape = wrapped.shape(batch, length, answer)

    def sized(generator: np.random.Generator, sizes: Mapping[str, int]) -> Arrays:
        arrays = noise(generator, sizes.get(BATCH, size))
        return text_rows.of_length(arrays, sizes[LENGTH]) if LENGTH in sizes else arrays

    return Target(
        module=wrapped,
        inputs=tuple(manifest.Tensor(name=name, dtype="int64", shape=(batch, length)) for name in wrapped.parts),
        outputs=(manifest.Tensor(name=wrapped.output, dtype="float32", shape=shape),),
        example=example,
        noise=noise,
        sized=sized,
        facts=wrapped.with_taken(
            replace(facts, fields=replace(facts.fields, text=fields.facts)) if facts.fields else facts, example
        ),
        batch=options.static_batch,
        warnings=warnings,
        assumed=warnings,
        inputs_kind="file" if rows.is_real else "noise",
        inputs_source=rows.source if rows.is_real else None,
        inputs_given=len(rows.raw) if rows.is_real else None,
        # Of one text alone all tokens are of the first; and without padding each is one.
        constant=tuple(name for name, part in (fields.facts.inputs or {}).items() if part == "types"),
    )


def text_fields(module: nn.Module, facts: DeploymentFacts, options: Options) -> TextFields:
    """The runtime's own, with the tokenizer that `--tokenizer` names."""
    path = tokenizer_file(options)
    found = facts.fields.text if facts.fields is not None else None
    if path is None or found is None:
        raise UsageError(f"{facts.task} needs its tokenizer: --tokenizer FOLDER, or a {TOKENIZER}")
    if found.inputs is None:
        found = replace(found, inputs=_inputs(module))
    return TextFields(found, made(path.read_bytes(), found, where=str(path)))


def _arguments(module: nn.Module) -> list[str]:
    return [
        name
        for name, one in inspect.signature(module.forward).parameters.items()
        if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
    ]


def _takes_batch(module: nn.Module, parts: Mapping[str, TokenPart]) -> bool:
    """Whether a single argument of another name gets all parts."""
    taken = _arguments(module)
    return len(taken) == 1 and taken[0] not in parts


def _of_batch(module: nn.Module) -> dict[str, TokenPart] | None:
    """The keys of a batch that `forward` reads, where its one argument is that and not the ids; else None."""
    ids = torch.zeros(1, 4, dtype=torch.int64)
    for given in (ids, _Batch(dict.fromkeys(_KNOWN, ids)), _Batch(dict.fromkeys([*_KNOWN][:2], ids))):
        with catch_warnings(action="ignore"), suppress(Exception), torch.no_grad():  # of what it does not take
            module.eval()(given)
            if isinstance(given, _Batch):
                return {
                    name: part for name, part in _KNOWN.items() if name in (given.read or given)
                }  # `**batch` reads all, unseen
            return None
    return None


class _Batch(dict[str, Tensor]):
    """A batch that remembers what is read of it."""

    def __init__(self, *values: Any) -> None:
        super().__init__(*values)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Tensor:
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """As a dict's."""
        try:
            return self[name]
        except KeyError:
            return default


def _inputs(module: nn.Module) -> dict[str, TokenPart]:
    """As the module's `forward` calls them; a first argument of another name is the ids, or a batch that has them."""
    taken = _arguments(module)
    known = {name: _KNOWN[name] for name in taken if name in _KNOWN}
    if "ids" in known.values():
        return known
    if not taken:
        raise UsageError(
            "the module's forward names no arguments: say them in the spec, as in fields: {text: {inputs: "
            "{input_ids: ids, attention_mask: mask}}}"
        )
    if len(taken) == 1 and (found := _of_batch(module)) is not None:
        return found
    return {taken[0]: "ids", **known}


CLASSIFICATION = ExportTask(
    name=runtime.CLASSIFICATION.name,
    roles=ROLES,
    target=partial(text_target, wrapper=TextClassifier),
    score=CLASS_SCORING,
    marks=IMAGE_CLASSIFICATION.marks,
)

ROLE = Role("embedding", {one: {"pooling": one} for one in ("mean", "first")}, {"features": None, "embeddings": None})

EMBEDDING = ExportTask(name=runtime.EMBEDDING.name, roles=(ROLE,), target=partial(text_target, wrapper=TextEmbedder))
