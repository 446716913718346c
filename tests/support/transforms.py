"""What is read off a transform, and what it makes of a picture: ours and theirs."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from lit_export.front.transform import TrainingTransform
from lit_export.spec import with_transform
from lit_infer import images
from lit_infer.manifest import DeploymentFacts, Step

ROUNDING = 2e-5
"""Of float32, as a share of the largest value."""


def part(name: str, library: str = "torchvision", **attributes: Any) -> Any:
    """An object of the class `library.somewhere.name`, which is all that is looked at."""
    return type(name, (SimpleNamespace,), {"__module__": f"{library}.transforms.v2"})(**attributes)


@st.composite
def pictures(draw: st.DrawFn, least: int = 8) -> Image.Image:
    """RGB images of any size, fine and coarse."""
    width, height = draw(st.integers(least, 90)), draw(st.integers(least, 90))
    generator = np.random.default_rng(draw(st.integers(0, 1000)))
    if draw(st.booleans()):
        return Image.fromarray(generator.integers(0, 256, (height, width, 3)).astype(np.uint8))
    small = Image.fromarray(generator.integers(0, 256, (5, 7, 3)).astype(np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


def module_input(facts: DeploymentFacts, image: Any) -> NDArray[np.float32]:
    """What the module is given, [channels, height, width]: the steps, then the graph's scaling and normalisation."""
    made = images.prepare(image, steps=facts.preprocess, channels=facts.channels)
    most = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}[str(made.dtype)]
    values = made.astype(np.float32) * np.float32(1 / (facts.scale.by if facts.scale else most))
    if facts.normalize is not None:
        mean, std = (np.asarray(numbers, np.float32) for numbers in (facts.normalize.mean, facts.normalize.std))
        values = (values - mean) / std
    return np.moveaxis(values, 2, 0)


def assert_read_as_it_is(transform: Any, image: Any, *, read_by: tuple[Step, ...] = ()) -> None:
    """The facts that are read off a transform give what calling it gives."""
    named = TrainingTransform("here", transform)
    theirs = named(image, Path("here.png"))
    facts = with_transform(DeploymentFacts(task="image-embedding", preprocess=read_by), named)
    ours = module_input(facts, image)
    if theirs.ndim == 4:
        theirs = theirs[0]
    if theirs.shape != ours.shape and theirs.ndim == 3:
        theirs = np.moveaxis(theirs, 2, 0)
    share = max(1.0, float(np.abs(theirs).max()))

    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours / share, theirs / share, rtol=0, atol=ROUNDING)
