"""torch's resize of tensors, in NumPy: the same bits for bytes, the same floats up to rounding."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from lit_infer.images.resampling import by_torch
from tests.support.pixel_steps import FLOAT_ROUNDING, arrays

HOW = ("nearest", "nearest_exact", "bilinear", "bicubic")


@pytest.mark.parametrize("antialias", [True, False], ids=["antialiased", "plain"])
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@given(data=st.data())
@settings(deadline=None, max_examples=50)
def test_it_is_torchvision_s_resize_of_a_tensor(how: Any, antialias: bool, dtype: str, data: st.DataObject) -> None:
    array = data.draw(arrays(data.draw(st.integers(1, 8)), dtype))
    # torch itself repeats the first row where what it makes is one pixel wide
    width, height = data.draw(st.tuples(st.integers(2, 90), st.integers(1, 90)))
    tensor = torch.from_numpy(array).permute(2, 0, 1)
    if data.draw(st.booleans()):  # as ToImage gives it, or in torch's own order of memory
        tensor = tensor.contiguous()
    mode = InterpolationMode(how.replace("_", "-"))
    wanted = functional.resize(tensor, [height, width], interpolation=mode, antialias=antialias).permute(1, 2, 0)

    found = by_torch.resized(array, (width, height), how, antialias)

    assert found.dtype == dtype
    tolerance = 0 if dtype == "uint8" else FLOAT_ROUNDING
    np.testing.assert_allclose(found.astype(np.float64), wanted.numpy().astype(np.float64), rtol=0, atol=tolerance)


@pytest.mark.parametrize("how", ["bilinear", "bicubic"])
@given(data=st.data(), size=st.tuples(st.integers(1, 90), st.integers(1, 90)))
@settings(deadline=None, max_examples=50)
def test_corners_stay_where_torch_aligns_them(how: Any, data: st.DataObject, size: tuple[int, int]) -> None:
    array = data.draw(arrays(data.draw(st.integers(1, 4)), "float32"))
    tensor = torch.from_numpy(array).permute(2, 0, 1)[None]
    made = torch.nn.functional.interpolate(tensor, size[::-1], mode=how, align_corners=True)

    found = by_torch.resized(array, size, f"{how}_corners", False)  # type: ignore[arg-type]

    np.testing.assert_allclose(found, made[0].permute(1, 2, 0).numpy(), rtol=0, atol=FLOAT_ROUNDING)


def test_large_pictures_are_resized_alike() -> None:
    array = np.random.default_rng(0).integers(0, 256, (700, 933, 3)).astype(np.uint8)
    tensor = torch.from_numpy(array).permute(2, 0, 1)
    wanted = functional.resize(tensor, [224, 299], antialias=True).permute(1, 2, 0).numpy()

    np.testing.assert_array_equal(by_torch.resized(array, (299, 224), "bilinear", True), wanted)
