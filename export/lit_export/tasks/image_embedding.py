"""Task `image-embedding`: the features as the module gives them, a transformer's pooled ones if it has them."""

import math
from collections.abc import Sequence
from functools import partial

from torch import Tensor

from lit_export.tasks.images import ImageModule, image_target
from lit_export.tasks.main_output import FEATURES
from lit_export.tasks.spec import ExportTask
from lit_infer.manifest import DeploymentFacts
from lit_infer.tasks.image_embedding import TASK as RUNTIME


class Embedder(ImageModule):
    """Features float32 [batch, size]."""

    output = "embedding"
    preferred = FEATURES

    def find_out(self, scores: Tensor, facts: DeploymentFacts) -> Sequence[str]:
        """Whether the features are those of many places, or tokens, which make one long row."""
        del facts
        many = [side for side in scores.shape[1:] if side > 1]
        if len(many) < 2:
            return ()
        shape = " x ".join(map(str, scores.shape[1:]))
        return (
            f"the module answers {shape} values for each image, and all {math.prod(many)} are its embedding. For one "
            "token, or the mean over places, put a module around it: --adapter PKG.MOD:WRAP",
        )

    def forward(self, images: Tensor) -> Tensor:
        """The features, flattened after the batch; one value for each image is a feature too."""
        scores = self.scores(images)
        return scores[:, None] if scores.ndim == 1 else scores.flatten(1)


TASK = ExportTask(name=RUNTIME.name, target=partial(image_target, wrapper=Embedder))
