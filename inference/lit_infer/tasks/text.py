"""Tasks `text-classification` and `text-embedding`: as those on images, of texts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import msgspec
from numpy.typing import NDArray

from lit_infer.column_values import ColumnValues
from lit_infer.tasks import image_classification, image_embedding
from lit_infer.tasks.image_embedding import Embedding
from lit_infer.tasks.spec import Ask, Outputs, Reading, Row


class PoolingFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the graph makes of a module's vectors."""

    pooling: Literal["mean", "first"] | None = None
    """Of a module that answers a vector for each token: the mean of those that are no padding, or the first token's."""
    unit: bool = False
    """Whether vectors are scaled to the length 1, so that a product of two is their cosine."""

    def check(self, labels: tuple[str, ...] | None, size: int | None) -> None:
        """Nothing can be wrong."""


def kept(outputs: Outputs, ask: Ask, reading: Reading) -> dict[str, NDArray[Any]]:
    """The vector of each row."""
    del ask, reading
    return {"embedding": outputs[0]}


def values(arrays: Mapping[str, Any], ask: Ask, reading: Reading) -> dict[str, ColumnValues]:
    """Those as a column."""
    del ask, reading
    return dict(arrays)


def row(answer: Embedding) -> Row:
    """An answer as that column."""
    return {"embedding": answer.embedding.tolist()}


CLASSIFICATION = replace(
    image_classification.TASK,
    name="text-classification",
    does="classifies texts",
    takes_images=False,
    has_text=True,
    sorts_by=None,
    pipeline_tag="text-classification",
    cautions=("It answers with one of its classes for every text, also for one unlike those it was trained on.",),
)

EMBEDDING = replace(
    image_embedding.TASK,
    name="text-embedding",
    does="turns texts into embeddings",
    takes_images=False,
    has_text=True,
    facts=PoolingFacts,
    columns=lambda _: {"embedding": "numbers"},
    row=row,
    kept=kept,
    values=values,
    needs_vectors=False,
    pipeline_tag="feature-extraction",
)
