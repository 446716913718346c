"""torch's `area`: the mean of what a new pixel covers."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lit_infer.images.resampling import by_torch
from lit_infer.images.resampling.averaging import averaged
from tests.support.pixel_steps import FLOAT_ROUNDING, arrays


@given(data=st.data(), size=st.tuples(st.integers(1, 90), st.integers(1, 90)))
@settings(deadline=None, max_examples=60)
def test_it_is_torch_s_area_of_a_tensor_larger_or_smaller(data: st.DataObject, size: tuple[int, int]) -> None:
    array = data.draw(arrays(data.draw(st.integers(1, 8)), "float32"))
    tensor = torch.from_numpy(array).permute(2, 0, 1)[None]
    wanted = torch.nn.functional.interpolate(tensor, size[::-1], mode="area")[0].permute(1, 2, 0).numpy()

    found = averaged(array, size)

    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=0, atol=FLOAT_ROUNDING)
    np.testing.assert_array_equal(by_torch.resized(array, size, "area", True), found)
