"""Task `image-embedding`: the features as the module gives them."""

from functools import partial

from torch import Tensor

from lit_export.tasks.images import ImageModule, image_target
from lit_export.tasks.spec import ExportTask
from lit_infer.tasks.image_embedding import TASK as RUNTIME


class Embedder(ImageModule):
    """Features float32 [batch, size]."""

    output = "embedding"

    def forward(self, images: Tensor) -> Tensor:
        """The features, flattened after the batch; one value for each image is a feature too."""
        scores = self.scores(images)
        return scores[:, None] if scores.ndim == 1 else scores.flatten(1)


TASK = ExportTask(name=RUNTIME.name, target=partial(image_target, wrapper=Embedder))
