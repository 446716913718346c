"""Task `image-embedding`: the features of a module, one vector for each image: pooled by it, or here."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace
from torch import Tensor, nn

from lit_export.chosen import Role
from lit_export.tasks.images import ImageModule, image_target
from lit_export.tasks.main_output import FEATURES, MainOutput, main_output
from lit_export.tasks.spec import ExportTask
from lit_infer.errors import UsageError
from lit_infer.manifest import DeploymentFacts
from lit_infer.tasks.image_embedding import TASK as RUNTIME
from lit_infer.tensors import Arrays

_TOKENS, _MAP = 3, 4


class Embedder(ImageModule):
    """Features float32 [batch, size].

    What the module may answer: [batch, size]; tokens [batch, n, size] and maps [batch, size, h, w], which are averaged
    unless something else is said.
    """

    output = "embedding"
    preferred = FEATURES
    role = "embedding"

    def __init__(self, module: nn.Module, facts: DeploymentFacts) -> None:
        super().__init__(module, facts)
        self.pool: str | None = facts.answers.get("pool")

    def main(self, output: Any) -> MainOutput:
        """The output that has the pooled features, else the first."""
        wanted = self.chosen.get(self.role)
        return main_output(output, self.preferred, role=self.role, wanted=wanted, fits=_is_any)

    @property
    def form(self) -> Sequence[str]:
        """What became of tokens and places."""
        return () if self.pool is None else (self.pool,)

    def find_out(self, scores: Tensor, facts: DeploymentFacts) -> Sequence[str]:
        """Of which of many tokens or places the embedding is made."""
        del facts
        if not _is_many(scores):
            if self.pool is not None:
                raise UsageError(f"answers: pool: {self.pool}: the module answers one vector for each image already")
            return ()
        if self.pool == "cls" and scores.ndim != _TOKENS:
            raise UsageError(
                f"answers: pool: cls is for tokens [batch, n, size], and the module answers {_shape(scores)}"
            )
        self.pool = self.pool or ("mean" if scores.ndim in (_TOKENS, _MAP) else "all")
        how = {"mean": "their mean over", "cls": "the first of", "all": "all values of"}[self.pool]
        count = scores.shape[1] if scores.ndim == _TOKENS else scores.shape[2:].numel()
        what = "tokens" if scores.ndim == _TOKENS else "places"
        return (
            f"the module answers {_shape(scores)} values for each image: its embedding is {how} the {count} {what}. "
            "Otherwise: answers: {pool: mean | cls | all}",
        )

    def facts_found(self, facts: DeploymentFacts, example: Arrays) -> DeploymentFacts:
        """With what was chosen."""
        del example
        return facts if self.pool is None else replace(facts, answers={**facts.answers, "pool": self.pool})

    def forward(self, images: Tensor) -> Tensor:
        """The features, flattened after the batch; one value for each image is a feature too."""
        scores = self.scores(images)
        if self.pool == "cls":
            return scores[:, 0]
        if self.pool == "mean":
            return scores.mean(1) if scores.ndim == _TOKENS else scores.mean((2, 3))
        return scores[:, None] if scores.ndim == 1 else scores.flatten(1)


def _is_any(tensor: Tensor) -> int:
    return 1 if tensor.is_floating_point() and tensor.ndim else 0


def _is_many(scores: Tensor) -> bool:
    """Whether there are several tokens or places, each with several values."""
    return sum(side > 1 for side in scores.shape[1:]) > 1


def _shape(scores: Tensor) -> str:
    return " x ".join(map(str, scores.shape[1:]))


ROLE = Role(
    "embedding",
    {pool: {"pool": pool} for pool in ("mean", "cls", "all")},
    {"features": None, "embeddings": None},
    fact="output",
)

TASK = ExportTask(name=RUNTIME.name, roles=(ROLE,), target=partial(image_target, wrapper=Embedder))
