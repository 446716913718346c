"""Tasks on recordings: the module that takes samples as the runtime sends them, around the user's own.

A spectrogram is part of the user's `forward`, and so of the graph.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
from torch import nn

from lit_export import labelled
from lit_export.options import Options
from lit_export.proof import audio_rows
from lit_export.tasks.image_classification import TASK as IMAGE_CLASSIFICATION
from lit_export.tasks.spec import ExportTask
from lit_export.tasks.tables import CLASS_SCORING, ROLES, TableClassifier, TableModule, looked_at
from lit_export.tasks.target import Target
from lit_infer import manifest
from lit_infer.batching.sizes import BATCH
from lit_infer.errors import UsageError
from lit_infer.manifest import DeploymentFacts
from lit_infer.rows.audio import AudioFields
from lit_infer.tasks import audio as runtime
from lit_infer.tensors import Arrays

_LOOKS = 32


def audio_target(module: nn.Module, facts: DeploymentFacts, options: Options, wrapper: type[TableModule]) -> Target:
    """The target of a task on recordings."""
    stated = facts.fields.audio if facts.fields is not None else None
    if stated is None:
        raise UsageError(f"{facts.task} needs its rate and length: fields: {{audio: {{rate: …, samples: …}}}}")
    if options.inputs or options.dynamic:
        raise UsageError(
            f"--input and --dynamic are for task tensor; the input of {facts.task} is that of fields.audio"
        )
    found = audio_rows.sounds(AudioFields.opened(stated), options.table_rows)
    wrapped = wrapper(module, facts).eval()
    size = options.static_batch or 2
    example = found.drawn(np.random.default_rng(0), size)
    looked = found.drawn(np.random.default_rng(1), options.static_batch or _LOOKS)
    answer, warnings = looked_at(wrapped, facts, (stated.input,), example, looked)
    batch = options.static_batch or BATCH

    def sized(generator: np.random.Generator, sizes: Mapping[str, int]) -> Arrays:
        return found.drawn(generator, sizes.get(BATCH, size))

    return Target(
        module=wrapped,
        inputs=(manifest.Tensor(name=stated.input, dtype="float32", shape=(batch, *stated.shape)),),
        outputs=(manifest.Tensor(name=wrapped.output, dtype="float32", shape=(batch, answer.shape[1])),),
        example=example,
        noise=found.drawn,
        sized=sized,
        facts=wrapped.with_taken(facts, example),
        batch=options.static_batch,
        warnings=warnings,
        assumed=warnings,
        inputs_kind="file" if found.is_real else "noise",
        inputs_source=found.source if found.is_real else None,
        inputs_given=len(found.all) if found.is_real else None,
    )


CLASSIFICATION = ExportTask(
    name=runtime.CLASSIFICATION.name,
    target=partial(audio_target, wrapper=TableClassifier),
    score=replace(CLASS_SCORING, labelled=labelled.classes),
    marks=IMAGE_CLASSIFICATION.marks,
    roles=ROLES,
)
