"""Task `image-embedding`: a vector for each image."""

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from lit_infer.tasks.spec import Ask, Outputs, Reading, Row, Shown, TaskSpec


class EmbeddingFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which of the module's numbers are the embedding."""

    output: str | None = None
    """Which of its outputs. None: found out at export."""
    pool: Literal["mean", "cls", "all"] | None = None
    """Of values for many tokens or places: their mean, the first token, or all of them in a row. None: the mean."""

    def check(self, labels: tuple[str, ...] | None, size: int | None) -> None:
        """Nothing can be wrong beyond the types."""


class Embedding(msgspec.Struct, frozen=True, eq=False):
    """The image's features, float32 [size]."""

    embedding: NDArray[np.float32]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Embedding):
            return NotImplemented
        return np.array_equal(self.embedding, other.embedding, equal_nan=True)

    def __hash__(self) -> int:
        return hash(self.embedding.tobytes())


def read(outputs: Outputs, asks: Sequence[Ask], reading: Reading) -> list[Embedding]:
    """Features [batch, …] as separate arrays: a view would keep its whole batch in memory."""
    del asks, reading
    return [Embedding(features.astype(np.float32)) for features in outputs[0]]


def row(answer: Embedding) -> Row:
    """Nothing: vectors go to a separate file, in the order of the rows."""
    del answer
    return {}


TASK = TaskSpec(
    name="image-embedding",
    does="turns images into embeddings",
    kind="vector",
    facts=EmbeddingFacts,
    answer=Embedding,
    read=read,
    columns=lambda _: {},
    row=row,
    show=lambda _: Shown("embedded"),
    headings=("answer", "", ""),
    needs_vectors=True,
    pipeline_tag="image-feature-extraction",
)
