"""Steps, pictures and files of every kind for hypothesis, and the two sides that must agree on them."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from lit_export.proof.reference import training_pixels
from lit_infer import images
from lit_infer.images.preprocess import Step
from lit_infer.images.resizing import INTERPOLATIONS, OF_FLOATS
from lit_infer.manifest import DeploymentFacts

FLOAT_ROUNDING = 2e-5
"""Of float32, as a share of the largest value, where both sides add the same up in another order."""
SIDES = st.integers(1, 60)
POSITIONS = st.sampled_from(["center", "top_left", "top_right", "bottom_left", "bottom_right"])
ROUNDINGS = st.sampled_from(["down", "nearest", "up", "nearest_quotient"])
MODES = ("L", "RGB", "RGBA", "LA", "P", "CMYK", "1")


def step(**given: Any) -> Step:
    """One step, as a manifest has it: `step(resize={"size": 8})`."""
    return msgspec.convert(given, Step)


def facts(*steps: Step, **more: Any) -> DeploymentFacts:
    return DeploymentFacts(task="image-embedding", preprocess=steps, **more)


@st.composite
def resamplings(draw: st.DrawFn, libraries: tuple[str, ...] = ("pil", "torch", "opencv")) -> dict[str, Any]:
    """A library with what it can do."""
    library: Any = draw(st.sampled_from(libraries))
    known = [one for one in INTERPOLATIONS[library] if library != "torch" or one not in OF_FLOATS]
    made = {"library": library, "interpolation": draw(st.sampled_from(known))}
    if library == "torch":
        made["antialias"] = draw(st.booleans())
    if draw(st.booleans()):
        made["shrinking"] = draw(st.sampled_from(known))
    return made


@st.composite
def lengths(draw: st.DrawFn) -> dict[str, Any]:
    """How large a resize makes an image, in each of its ways."""
    size = draw(st.integers(4, 48))
    ways: list[dict[str, Any]] = [
        {"size": [size, draw(st.integers(4, 48))]},
        {"size": size},
        {"size": size, "max_size": size + draw(st.integers(1, 30))},
        {"size": size, "side": "longest"},
        {"size": size, "rounding": draw(ROUNDINGS)},
        {"size": size, "side": draw(st.sampled_from(["height", "width"])), "rounding": draw(ROUNDINGS)},
        {
            "size": [size, draw(st.integers(4, 48))],
            "keep_ratio": draw(st.sampled_from(["fit", "cover"])),
            "rounding": draw(ROUNDINGS),
        },
        {"size": size, "side": "longest", "rounding": draw(ROUNDINGS)},
        {"scale": draw(st.floats(0.2, 2.5)), "rounding": draw(ROUNDINGS)},
    ]
    return draw(st.sampled_from(ways))


@st.composite
def resizes(draw: st.DrawFn, libraries: tuple[str, ...] = ("pil", "torch", "opencv")) -> Step:
    return step(resize={**draw(lengths()), **draw(resamplings(libraries))})


@st.composite
def letterboxes(draw: st.DrawFn) -> Step:
    return step(
        letterbox={
            "size": draw(st.one_of(st.integers(4, 48), st.tuples(st.integers(4, 48), st.integers(4, 48)))),
            "position": draw(POSITIONS),
            "fill": float(draw(st.integers(0, 255))),
            "enlarge": draw(st.booleans()),
            "rounding": draw(st.sampled_from(["down", "nearest", "up"])),
            **draw(resamplings()),
        }
    )


@st.composite
def pads(draw: st.DrawFn) -> Step:
    """Of any kind. Reflection reaches no further than the image, so that it goes with amounts of one pixel."""
    pair = st.tuples(st.integers(1, 70), st.integers(1, 70))
    ways: list[dict[str, Any]] = [
        {"size": draw(st.one_of(st.integers(1, 70), pair))},
        {"multiple": draw(st.one_of(st.integers(1, 32), st.tuples(st.integers(1, 32), st.integers(1, 32))))},
        {"square": True},
        {"amounts": [draw(st.integers(0, 9)) for _ in range(4)]},
    ]
    if draw(st.booleans()):
        mode = draw(st.sampled_from(["reflect", "symmetric"]))
        return step(pad={"amounts": [draw(st.integers(0, 1)) for _ in range(4)], "mode": mode})
    made = {"position": draw(POSITIONS), "mode": draw(st.sampled_from(["constant", "replicate"]))}
    return step(pad={**draw(st.sampled_from(ways)), **made, "fill": float(draw(st.integers(0, 255)))})


@st.composite
def crops(draw: st.DrawFn) -> Step:
    """Those that any image can give."""
    size = draw(st.one_of(SIDES, st.tuples(SIDES, SIDES)))
    more_first = {"rounding": "down", "smaller": draw(st.sampled_from(["pad", "pad_more_first"]))}
    ways = [
        step(center_crop={"size": size}),
        step(center_crop={"size": size, **more_first}),
        step(crop={"fraction": draw(st.floats(0.05, 1.0))}),
    ]
    return draw(st.sampled_from(ways))


@st.composite
def values(draw: st.DrawFn, channels: int) -> Step:
    """Steps that change what pixels hold."""
    numbers = st.lists(st.floats(0.125, 0.875, width=32), min_size=channels, max_size=channels)
    order = st.lists(st.integers(0, channels - 1), min_size=channels, max_size=channels)
    stretch = {
        "kind": draw(st.sampled_from(["min_max", "percentile", "standard"])),
        "low": draw(st.sampled_from([0.0, 2.0])),
        "high": draw(st.sampled_from([98.0, 100.0])),
        "per_channel": draw(st.booleans()),
        "clip": draw(st.booleans()),
        "epsilon": draw(st.sampled_from([0.0, 1e-4])),
        "limit": draw(st.sampled_from([None, 0.75, 20.0])),
    }
    ways = [
        step(channels={"order": draw(order)}),
        step(scale={"by": draw(st.sampled_from([1.0, 255.0, 65535.0, 7.5]))}),
        step(stretch=stretch),
        step(normalize={"mean": draw(numbers), "std": draw(numbers)}),
    ]
    return draw(st.sampled_from(ways))


@st.composite
def arrays(draw: st.DrawFn, channels: int, dtype: str) -> NDArray[Any]:
    """[height, width, channels], noise or slopes."""
    height, width, seed = draw(st.integers(3, 60)), draw(st.integers(3, 60)), draw(st.integers(0, 2**16))
    generator, most = np.random.default_rng(seed), {"uint8": 255, "uint16": 65535, "float32": 1}[dtype]
    if draw(st.booleans()):
        made = generator.random((height, width, channels)) * most
    else:
        rows, columns = np.mgrid[0:height, 0:width]
        made = ((rows / height + columns / width)[:, :, None] / 2 + np.arange(channels) / 9) % 1 * most
    return made.astype(dtype)


def picture_file(folder: Path, array: NDArray[np.uint8], mode: str, suffix: str) -> Path:
    """An image file of a mode, made of RGB bytes."""
    path = folder / f"picture{suffix}"
    image = Image.fromarray(array).convert(mode)
    image.save(path)
    return path


def assert_both_sides_agree(path: Path, described: DeploymentFacts) -> None:
    """Training's library and the runtime make the same of a file: integers in all bits, floats up to rounding."""
    try:
        wanted = training_pixels(path, described)
    except RuntimeError as error:  # torchvision cannot make an image of no pixels; here one pixel stays
        assume("sizes should be greater than 0" not in str(error))
        raise
    found = images.prepare(path, steps=described.preprocess, channels=described.channels)

    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    if found.dtype == np.float32:
        share = np.abs(wanted).max(initial=1e-6)
        np.testing.assert_allclose(found / share, wanted / share, rtol=0, atol=FLOAT_ROUNDING)
    else:
        np.testing.assert_array_equal(found, wanted)
