"""A few images and what the runtime prepared of them: a target host checks its decoders and resizes against it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_export.proof import corpus
from lit_infer import images
from lit_infer.manifest import DeploymentFacts

_COUNT = 4


def stored(facts: DeploymentFacts, scratch: Path) -> Mapping[str, NDArray[Any]]:
    """Files as bytes, `file_0`, and what is made of them, `pixels_0`.

    The images are made up: a bundle goes to others, and the user's own images may not be for them.
    """
    into = scratch / "stored"
    into.mkdir()
    arrays: dict[str, NDArray[Any]] = {}
    for index, path in enumerate(corpus.plain_files(facts, into, _COUNT)):
        data = path.read_bytes()
        arrays[f"file_{index}"] = np.frombuffer(data, np.uint8)
        arrays[f"pixels_{index}"] = images.prepare(data, steps=facts.preprocess, channels=facts.channels)
    return arrays
